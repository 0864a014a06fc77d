//! A trained model as an ONNX file: what is done to its inputs, the net, and what its outputs mean.

mod answers;
mod inputs;
mod table;

use crate::error::{Error, guarded};
use crate::model::Model;
use rekindle_nn::onnx::{self, Graph};

/// A model as an ONNX file.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The bytes of the file.
    pub bytes: Vec<u8>,
    /// What goes in: `petal_width double [batch, 1]`.
    pub inputs: Vec<String>,
    /// What comes out: `probabilities float [batch, 3]`.
    pub outputs: Vec<String>,
}

impl Model {
    /// The model as an ONNX file: what [`ask`](Self::ask) does, with what is done to inputs before and to outputs behind the net.
    ///
    /// A table has an input for each column, anything else the input `input`. Classifiers give `probabilities` and `predicted`, regressions
    /// `predicted`. The recipe, the names of the classes and what cannot be said in the graph (images are resized before) are among the metadata.
    ///
    /// ```no_run
    /// # use rekindle_train::{RunDir, Weights};
    /// let model = RunDir::open("runs/iris-001".as_ref())?.model(Weights::Final)?;
    /// std::fs::write("iris.onnx", model.onnx()?.bytes).unwrap();
    /// # Ok::<(), rekindle_train::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the model does not say what its data is like, or its net cannot be in ONNX, as [`export`](rekindle_nn::onnx::export).
    pub fn onnx(&self) -> Result<Exported, Error> {
        guarded(|| self.exported())
    }

    fn exported(&self) -> Result<Exported, Error> {
        let (mut graph, signature) = (Graph::new(), self.signature()?);
        let (x, before) = inputs::add(&mut graph, &signature.input).map_err(Error::Recipe)?;
        let y = onnx::add(&mut graph, &self.net, &x).map_err(Error::Recipe)?;
        let answers = answers::add(&mut graph, &y, self.objective.decision, signature.input.units());
        let answers = answers.map_err(Error::Recipe)?;
        let names = serde_json::to_string(&signature.targets(answers)).expect("texts");
        let recipe = toml::to_string(&self.recipe).map_err(|e| Error::Recipe(e.to_string()))?;
        let (takes, gives) = graph.described();
        let (inputs, outputs) = (takes.to_vec(), gives.to_vec());
        let notes = [
            ("rekindle.names", names.as_str()),
            ("rekindle.preprocessing", before.as_str()),
            ("rekindle.recipe", recipe.as_str()),
        ];
        let bytes = graph.finish(&notes).map_err(Error::Recipe)?;
        Ok(Exported { bytes, inputs, outputs })
    }
}

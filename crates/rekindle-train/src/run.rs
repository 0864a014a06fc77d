//! A recipe's run: its data, its net and its trainer.

use crate::error::{Error, guarded};
use crate::finite;
use crate::fit::check_fit;
use crate::history::EpochRow;
use crate::layers::build_net;
use crate::load::{Data, load};
use crate::objective::Objective;
use crate::optimizers::build_optimizer;
use crate::recipe::Recipe;
use crate::trainer::{Parts, Place, Trainer};
use rekindle_nn::{Parameters, Sequential};
use rekindle_tensor::random;
use std::path::Path;

/// A finished run.
pub struct Trained {
    /// The trained net, in evaluation mode.
    pub net: Sequential,
    /// The data it was trained on and tested with.
    pub data: Data,
    /// The epochs whose figures were kept.
    pub rows: Vec<EpochRow>,
}

/// Trains as a recipe says and hands over each row as it comes. Image files are looked for in `folder`.
///
/// ```
/// use rekindle_train::{CIRCLES, Recipe, run};
/// let recipe = Recipe { epochs: 1, ..Recipe::from_toml(CIRCLES)? };
/// let trained = run(&recipe, None, &mut |row| println!("{row:?}"))?;
/// assert_eq!(format!("{:.5}", trained.rows[0].train.loss), "0.69295");
/// # Ok::<(), rekindle_train::Error>(())
/// ```
///
/// # Errors
/// If the recipe is not valid or does not fit its data, the data cannot be loaded, or a number stops being finite.
pub fn run(
    recipe: &Recipe,
    folder: Option<&Path>,
    show: &mut dyn FnMut(&EpochRow),
) -> Result<Trained, Error> {
    let mut training = Training::new(recipe, folder)?;
    let mut rows = Vec::new();
    for row in training.epochs() {
        let row = row?;
        show(&row);
        rows.push(row);
    }
    Ok(Trained { rows, ..training.finish() })
}

/// A run that can be watched epoch by epoch.
///
/// ```
/// use rekindle_train::{CIRCLES, Recipe, Training};
/// let mut training = Training::new(&Recipe { epochs: 300, ..Recipe::from_toml(CIRCLES)? }, None)?;
/// for row in training.epochs() {
///     let row = row?;
///     println!("{} {:.5}", row.epoch, row.train.loss);
/// }
/// let net = training.finish().net;
/// # assert_eq!(net.len(), 5);
/// # Ok::<(), rekindle_train::Error>(())
/// ```
pub struct Training {
    recipe: Recipe,
    trainer: Trainer<Sequential>,
    data: Data,
}

impl Training {
    /// Loads the data, makes the net and holds everything against each other.
    ///
    /// # Errors
    /// If the recipe is not valid or does not fit its data, or the data cannot be loaded.
    pub fn new(recipe: &Recipe, folder: Option<&Path>) -> Result<Training, Error> {
        let prepare = || {
            recipe.check_values().map_err(Error::Recipe)?;
            let objective = Objective::build(&recipe.loss).map_err(Error::Recipe)?;
            let data = load(recipe, folder)?;
            random::manual_seed(recipe.seed);
            let net = build_net(&recipe.net).map_err(Error::Recipe)?;
            let optimizer = build_optimizer(&recipe.optimizer, net.parameters()).map_err(Error::Recipe)?;
            check_fit(recipe, &net, &objective, &data)?;
            let mut trainer = Trainer::of(net, objective, optimizer, finite::forward)
                .epochs(recipe.epochs)
                .report(recipe.report.clone());
            if let Some(samples) = recipe.batch_size {
                trainer = trainer.batch_size(samples).shuffle(recipe.shuffle);
            }
            Ok(Training { recipe: recipe.clone(), trainer, data })
        };
        guarded(prepare).map_err(|e| recipe.named(e))
    }

    /// The net that is trained.
    pub fn net(&self) -> &Sequential {
        &self.trainer.net
    }

    /// The data that it is trained on.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// Trains, and gives the rows that the recipe keeps, one by one. After an error there are no more.
    pub fn epochs(&mut self) -> Epochs<'_> {
        let Training { recipe, trainer, data } = self;
        let parts =
            Parts { train: &data.train, validation: data.validation.as_ref(), test: Some(&data.test) };
        let place = Place::new(trainer, parts);
        Epochs { recipe, trainer, parts, place }
    }

    /// The trained net in evaluation mode, and its data.
    pub fn finish(self) -> Trained {
        self.trainer.net.eval();
        Trained { net: self.trainer.net, data: self.data, rows: Vec::new() }
    }
}

/// The epochs of a [`Training`] as they are trained.
pub struct Epochs<'a> {
    recipe: &'a Recipe,
    trainer: &'a mut Trainer<Sequential>,
    parts: Parts<'a>,
    place: Place,
}

impl Iterator for Epochs<'_> {
    type Item = Result<EpochRow, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.trainer.next(self.parts, &mut self.place, &mut []);
        if row.is_err() {
            self.place.end();
        }
        row.map_err(|e| self.recipe.named(e)).transpose()
    }
}

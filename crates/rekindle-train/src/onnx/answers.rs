//! What a net's outputs mean, in ONNX's operators: as [`Model::ask`](crate::Model::ask) says it.

use crate::signature::Units;
use rekindle_nn::loss::Decision;
use rekindle_nn::onnx::{Graph, Type, Value};
use rekindle_tensor::Tensor;

/// Adds the outputs of the file, and says how many classes, labels or numbers there are.
///
/// # Errors
/// If the net's outputs are no rows, or not as many as a damaged file has units for.
pub(super) fn add(graph: &mut Graph, y: &Value, decision: Decision, units: Units) -> Result<usize, String> {
    let per_sample = y.shape().get(1..).unwrap_or_default();
    if per_sample.is_empty() {
        return Err("the net gives no row for each sample".into());
    }
    let count: usize = per_sample.iter().product();
    if let Some(units) = units.filter(|units| units.len() != count) {
        return Err(format!(
            "damaged signature: units for {} numbers, and the net gives {count}",
            units.len()
        ));
    }
    let single = count == 1;
    Ok(match decision {
        Decision::None => numbers(graph, y, units),
        Decision::Largest => classes(graph, y),
        Decision::Logit | Decision::Probability => {
            let (p, least) = match decision {
                Decision::Logit => (graph.op("Sigmoid", &[y], &[]), 0.0),
                _ => (y.clone(), 0.5),
            };
            let least = graph.number(y, least);
            let yes = graph.op("Greater", &[y, &least], &[]).typed(Type::Bool);
            let yes = graph.cast(&yes, Type::Int64);
            if single { both(graph, &p, &yes) } else { labels(graph, &p, &yes) }
        }
    })
}

/// Numbers in their own units; in f64, because these may be far from 0.
fn numbers(graph: &mut Graph, y: &Value, units: Units) -> usize {
    let count = y.shape()[1..].iter().product();
    let mut y = graph.reshape(y, &[y.shape()[0], count]);
    if let Some(units) = units {
        let (mean, std): (Vec<f64>, Vec<f64>) = units.iter().copied().unzip();
        y = graph.cast(&y, Type::Double);
        let row = |values: Vec<f64>| Tensor::from_vec(values, [1, units.len()]);
        y = graph.layer_op("Mul", &y, &[("target.std", Some(&row(std)))], &[]);
        y = graph.layer_op("Add", &y, &[("target.mean", Some(&row(mean)))], &[]);
        y = graph.cast(&y, Type::Float);
    }
    graph.output("predicted", &y, "the numbers that were learned, in their own units");
    count
}

fn classes(graph: &mut Graph, y: &Value) -> usize {
    let p = graph.op("Softmax", &[y], &[("axis", 1usize.into())]);
    let without = [&y.shape()[..1], &y.shape()[2..]].concat();
    let options = [("axis", 1usize.into()), ("keepdims", 0usize.into())];
    let largest = graph.op("ArgMax", &[y], &options).typed(Type::Int64).shaped(&without);
    let axes = graph.tensor("/axes", &Tensor::from_vec(vec![1i64], [1]));
    let sum = graph.op("ReduceSum", &[&p, &axes], &[("keepdims", 0usize.into())]).shaped(&without);
    let largest = or_none(graph, &largest, &sum);
    probabilities(graph, &p);
    graph.output("predicted", &largest, PREDICTED);
    p.shape()[1]
}

/// One yes or no: the probabilities of both classes.
fn both(graph: &mut Graph, p: &Value, yes: &Value) -> usize {
    let batch = p.shape()[0];
    let p = graph.reshape(p, &[batch, 1]);
    let one = graph.number(&p, 1.0);
    let other = graph.op("Sub", &[&one, &p], &[]).shaped(p.shape());
    let all = graph.op("Concat", &[&other, &p], &[("axis", 1usize.into())]).shaped(&[batch, 2]);
    let (flat, yes) = (graph.reshape(&p, &[batch]), graph.reshape(yes, &[batch]));
    let yes = or_none(graph, &yes, &flat);
    probabilities(graph, &all);
    graph.output("predicted", &yes, PREDICTED);
    2
}

/// A yes or no for each label.
fn labels(graph: &mut Graph, p: &Value, yes: &Value) -> usize {
    let yes = or_none(graph, yes, p);
    probabilities(graph, p);
    graph.output("predicted", &yes, "1 for each label that applies, else 0; -1 if there is no answer");
    p.shape()[1]
}

const PREDICTED: &str =
    "the number of the class, from 0; -1 if there is no answer, and its probabilities are NaN";

fn probabilities(graph: &mut Graph, p: &Value) {
    graph.output(
        "probabilities",
        p,
        "of each class or label, in the order of rekindle.names among the metadata",
    );
}

/// A decision, or -1 where the number that it came from is NaN: `rekindle predict` refuses such a row.
fn or_none(graph: &mut Graph, decided: &Value, p: &Value) -> Value {
    let unknown = graph.op("IsNaN", &[p], &[]).typed(Type::Bool);
    let none = graph.number(decided, -1.0);
    graph.op("Where", &[&unknown, &none, decided], &[]).typed(Type::Int64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_that_nobody_can_read_are_errors() {
        let mut graph = Graph::new();
        let (pair, flat) = (graph.input("a", Type::Float, &[2], ""), graph.input("b", Type::Float, &[], ""));
        let mut says = |y: &Value, decision, units: Units| add(&mut graph, y, decision, units);
        let units = [(0.0, 1.0)];
        let damaged = "damaged signature: units for 1 numbers, and the net gives 2";
        assert_eq!(says(&pair, Decision::None, Some(&units)), Err(damaged.into()));
        assert_eq!(says(&pair, Decision::None, None), Ok(2));
        for decision in [Decision::None, Decision::Largest, Decision::Logit, Decision::Probability] {
            assert!(says(&flat, decision, None).is_err());
        }
    }
}

//! Weights against unbalanced classes, as arguments of the loss.

use crate::error::Error;
use crate::part::Data;
use crate::recipe::Recipe;
use crate::sets::Kind;
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use std::fmt;

/// What each class counts in the loss.
#[derive(Clone, Debug, PartialEq)]
pub enum ClassWeights {
    /// In inverse proportion to its number of training samples: `n / (classes * n of the class)`, scikit-learn's `balanced`.
    Balanced,
    /// So much.
    Given(Vec<f64>),
}

impl Serialize for ClassWeights {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            ClassWeights::Balanced => serializer.serialize_str("balanced"),
            ClassWeights::Given(all) => all.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ClassWeights {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;
        impl<'de> Visitor<'de> for Words {
            type Value = ClassWeights;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"balanced\" or a list of a weight for each class")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<ClassWeights, E> {
                if text == "balanced" {
                    return Ok(ClassWeights::Balanced);
                }
                Err(E::invalid_value(de::Unexpected::Str(text), &self))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<ClassWeights, A::Error> {
                let mut all = Vec::new();
                while let Some(weight) = list.next_element()? {
                    all.push(weight);
                }
                Ok(ClassWeights::Given(all))
            }
        }
        deserializer.deserialize_any(Words)
    }
}

impl Recipe {
    /// The recipe with the class weights as an argument of its loss, which is where judging finds them.
    pub(crate) fn with_class_weights(&self, data: &Data) -> Result<Recipe, Error> {
        let Some(weights) = &self.class_weights else { return Ok(self.clone()) };
        let wrong = |why: String| Err(Error::Recipe(format!("class_weights: {why}")));
        if data.kind != Kind::Classes {
            return wrong(
                "there are no classes; of labels give loss = \"BCEWithLogitsLoss(pos_weight=[..])\"".into(),
            );
        }
        let classes = data.classes.len();
        let weights = match weights {
            ClassWeights::Balanced => {
                let counts = data.train.class_counts(classes);
                if let Some(class) = counts.iter().position(|&n| n == 0) {
                    return wrong(format!("no training sample is of class {}", data.classes[class]));
                }
                let n = data.train.len() as f64;
                counts.iter().map(|&count| n / (classes * count) as f64).collect()
            }
            ClassWeights::Given(all) if all.len() != classes => {
                return wrong(format!("{} weights for {classes} classes; give one for each", all.len()));
            }
            ClassWeights::Given(all) => all.clone(),
        };
        if let Some(weight) = weights.iter().find(|w| !(w.is_finite() && **w > 0.0)) {
            return wrong(format!("{weight}; a weight must be above 0"));
        }
        let Some((name, rest)) = self.loss.split_once('(').or(Some((self.loss.as_str(), ")"))) else {
            unreachable!()
        };
        let listed = |all: &[f64]| all.iter().map(f64::to_string).collect::<Vec<_>>().join(", ");
        let argument = match name.trim() {
            "CrossEntropyLoss" | "NLLLoss" => format!("weight=[{}]", listed(&weights)),
            "BCEWithLogitsLoss" if classes == 2 => format!("pos_weight=[{}]", weights[1] / weights[0]),
            other => return wrong(format!("{other} takes none; take CrossEntropyLoss or BCEWithLogitsLoss")),
        };
        if rest.contains("weight") {
            return wrong("the loss has weights already; leave one out".into());
        }
        let comma = if rest.trim() == ")" { "" } else { ", " };
        let rest = rest.trim_end().trim_end_matches(')');
        let loss = format!("{name}({rest}{comma}{argument})");
        Ok(Recipe { loss, class_weights: None, ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CIRCLES, Objective, SETS, Training, load};

    fn with(recipe: &str, weights: &str) -> Result<String, String> {
        let recipe =
            Recipe::from_toml(&format!("class_weights = {weights}\n{recipe}")).map_err(|e| e.to_string())?;
        let data = load(&recipe, None).unwrap();
        recipe.with_class_weights(&data).map(|r| r.loss).map_err(|e| e.to_string())
    }

    #[test]
    fn balanced_weights_are_those_of_scikit_learn_and_stand_in_the_loss() {
        let smaller = CIRCLES.replace("samples = 1000", "samples = 15"); // 12 to train on
        let recipe = Recipe::from_toml(&smaller).unwrap();
        let counts = load(&recipe, None).unwrap().train.class_counts(2);
        let loss = with(&smaller, "\"balanced\"").unwrap();
        assert_eq!(loss, format!("BCEWithLogitsLoss(pos_weight=[{}])", counts[0] as f64 / counts[1] as f64));
        let blobs = SETS.iter().find(|set| set.name == "blobs").unwrap().recipe;
        assert_eq!(with(blobs, "[1, 2, 3, 4.5]").unwrap(), "CrossEntropyLoss(weight=[1, 2, 3, 4.5])");
        assert!(Objective::build("CrossEntropyLoss(weight=[1, 2, 3, 4.5])").is_ok());
        let smooth = blobs.replace("\"CrossEntropyLoss\"", "\"CrossEntropyLoss(label_smoothing=0.1)\"");
        assert_eq!(
            with(&smooth, "[1, 2, 3, 4]").unwrap(),
            "CrossEntropyLoss(label_smoothing=0.1, weight=[1, 2, 3, 4])"
        );
    }

    #[test]
    fn a_run_keeps_the_weights_in_its_recipe() {
        let recipe = Recipe::from_toml(&format!("class_weights = [1, 3]\n{CIRCLES}")).unwrap();
        let training = Training::new(&Recipe { epochs: 1, ..recipe }, None).unwrap();
        assert_eq!(training.recipe().loss, "BCEWithLogitsLoss(pos_weight=[3])");
        assert_eq!(training.recipe().class_weights, None);
    }

    #[test]
    fn mistakes_are_named() {
        let e = with(CIRCLES, "[1, 2, 3]").unwrap_err();
        assert_eq!(e, "class_weights: 3 weights for 2 classes; give one for each");
        assert_eq!(with(CIRCLES, "[1, 0]").unwrap_err(), "class_weights: 0; a weight must be above 0");
        let e = with(CIRCLES, "\"even\"").unwrap_err();
        assert_eq!(
            e,
            "line 1, column 17: invalid value: string \"even\", expected \"balanced\" or a list of a weight for each class"
        );
        let line = SETS.iter().find(|set| set.name == "line").unwrap().recipe;
        assert!(with(line, "\"balanced\"").unwrap_err().starts_with("class_weights: there are no classes"));
    }
}

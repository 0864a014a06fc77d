//! Any value of a recipe, set from outside: `data.noise=0.1`.

use crate::call::Call;
use crate::error::Error;
use crate::recipe::Recipe;
use toml::{Table, Value};

impl Recipe {
    /// The recipe with another value of a key. Values are those of TOML; texts need no quotes.
    ///
    /// ```
    /// use rekindle_train::{CIRCLES, Recipe};
    /// let recipe = Recipe::from_toml(CIRCLES)?.assign("data.noise = 0.1")?.assign("optimizer=Adam(lr=0.01)")?;
    /// assert_eq!(recipe.optimizer, "Adam(lr=0.01)");
    /// let e = recipe.assign("data.noize=0.1").unwrap_err().to_string();
    /// assert_eq!(e, "data.noize=0.1: unknown field `noize`; did you mean `noise`?");
    /// # Ok::<(), rekindle_train::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is no such key, or no run can use the value.
    pub fn assign(&self, assignment: &str) -> Result<Recipe, Error> {
        let wrong = |why: &str| Error::Recipe(format!("{assignment}: {why}"));
        let (key, text) = assignment.split_once('=').ok_or_else(|| wrong("write it as KEY=VALUE"))?;
        let mut all = Table::try_from(self).map_err(|e| wrong(&e.to_string()))?;
        let key = parts(key.trim()).map_err(|e| wrong(&e))?;
        put(&mut all, &key, text.trim()).map_err(|e| wrong(&e))?;
        let text = toml::to_string(&all).map_err(|e| wrong(&e.to_string()))?;
        let recipe = Recipe::from_toml(&text).map_err(|e| wrong(without_place(&e.to_string())))?;
        Ok(Recipe { file: self.file.clone(), ..recipe })
    }

    /// The recipe with another learning rate, whatever its optimiser.
    ///
    /// # Errors
    /// If it is not above 0.
    pub fn with_lr(&self, lr: f64) -> Result<Recipe, Error> {
        let call = Call::parse(&self.optimizer).map_err(Error::Recipe)?;
        self.assign(&format!("optimizer={}", call.with_first("lr", lr)))
    }
}

/// The parts of a key, which may be quoted as in TOML: `data.columns."sepal.length"`.
fn parts(key: &str) -> Result<Vec<String>, String> {
    let read = toml::from_str::<Table>(&format!("{key} = 0"));
    let mut table =
        read.map_err(|_| format!("`{key}` is no key; write one such as data.columns.\"sepal.length\""))?;
    let mut parts = Vec::new();
    // Each part is the only key of its table.
    while let Some((part, inner)) = table.into_iter().next() {
        parts.push(part);
        table = match inner {
            Value::Table(inner) => inner,
            _ => break,
        };
    }
    Ok(parts)
}

fn put(table: &mut Table, key: &[String], text: &str) -> Result<(), String> {
    let Some((first, rest)) = key.split_first() else { return Err("a key is missing".into()) };
    match rest {
        [] => {
            let was_text = table.get(first).is_some_and(Value::is_str);
            table.insert(first.clone(), value(text, was_text));
            Ok(())
        }
        rest => match table.entry(first).or_insert_with(|| Table::new().into()) {
            Value::Table(inner) => put(inner, rest, text),
            _ => Err(format!("`{first}` has no keys of its own")),
        },
    }
}

/// What a text says in TOML; where a text is expected, or it says nothing, it is one.
fn value(text: &str, is_text: bool) -> Value {
    let read = toml::from_str::<Table>(&format!("value = {text}")).ok().and_then(|mut t| t.remove("value"));
    match read {
        Some(value) if value.is_str() || !is_text => value,
        _ => Value::from(text),
    }
}

/// A message without its place, which is that of a text that nobody has seen.
fn without_place(message: &str) -> &str {
    let rest = message.strip_prefix("line ").and_then(|rest| rest.split_once(", column "));
    rest.and_then(|(_, rest)| rest.split_once(": ")).map_or(message, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use crate::{CIRCLES, Recipe, Source};

    fn with(assignment: &str) -> Result<Recipe, String> {
        Recipe::from_toml(CIRCLES).unwrap().assign(assignment).map_err(|e| e.to_string())
    }

    #[test]
    fn every_kind_of_value_can_be_set() {
        assert_eq!(with("epochs=3").unwrap().epochs, 3);
        assert_eq!(with("name=7").unwrap().name, "7");
        assert_eq!(with("net=[\"Linear(2, 1)\"]").unwrap().net, ["Linear(2, 1)"]);
        assert_eq!(with("early_stopping.patience=4").unwrap().early_stopping.unwrap().patience, 4);
        let Source::Set(set) = with("data.class_names=[\"in\", \"out\"]").unwrap().data else { panic!() };
        assert_eq!(set.class_names.unwrap(), ["in", "out"]);
        let table = "name = \"t\"\nseed = 1\nepochs = 1\nnet = [\"Linear(1, 1)\"]\nloss = \"MSELoss\"\noptimizer = \"SGD(lr=1)\"\n\n[data]\ntable = \"t.csv\"\nlabel = \"y\"\n";
        let recipe = Recipe::from_toml(table).unwrap().assign("data.columns.\"a.b\"=ignored").unwrap();
        let Source::Table(source) = recipe.data else { panic!() };
        assert!(source.columns.contains_key("a.b"));
        assert_eq!(Recipe::from_toml(CIRCLES).unwrap().with_lr(0.5).unwrap().optimizer, "SGD(lr=0.5)");
    }

    #[test]
    fn mistakes_have_no_place_in_a_file() {
        assert_eq!(with("epochs").err().unwrap(), "epochs: write it as KEY=VALUE");
        assert_eq!(
            with("epochz=3").err().unwrap(),
            "epochz=3: unknown field `epochz`; did you mean `epochs`?"
        );
        assert!(with("=3").err().unwrap().starts_with("=3: `` is no key"));
        assert_eq!(with("epochs.x=3").err().unwrap(), "epochs.x=3: `epochs` has no keys of its own");
        assert_eq!(with("epochs=0").err().unwrap(), "epochs=0: epochs = 0: it must be at least 1");
        let e = with("loss=BCELos").err().unwrap();
        assert_eq!(e, "loss=BCELos: loss: there is no `BCELos`; did you mean `BCELoss`?");
    }
}

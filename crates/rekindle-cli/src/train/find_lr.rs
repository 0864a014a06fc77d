//! `rekindle train --find-lr`: which learning rate to begin with.

use crate::Failure;
use crate::output::{say, terminal};
use rekindle::plot;
use rekindle::train::Training;
use serde_json::json;
use std::path::Path;

/// Sweeps the learning rate, shows what the loss does, and draws it into a file, if one is named.
pub fn run(mut training: Training, picture: Option<&Path>, json: bool) -> Result<(), Failure> {
    let found = training.find_lr()?;
    let pairs = found.rates.iter().zip(&found.losses);
    let points: Vec<(f64, f64)> = pairs.map(|(rate, loss)| (rate.log10(), *loss)).collect();
    let label = "log10 of the learning rate";
    if json {
        let (rates, losses) = (&found.rates, &found.losses);
        say!("{}", json!({"suggestion": found.suggestion, "rates": rates, "losses": losses}));
    } else {
        let curve = [("smoothed loss", points.as_slice())];
        say!("{}", terminal().x_label(label).curves(&curve, "loss"));
        let (first, last) = (found.rates.first(), found.rates.last());
        if let (Some(first), Some(last)) = (first, last) {
            say!("{} learning rates from {first:.1e} to {last:.1e}", found.rates.len());
        }
    }
    if let Some(picture) = picture {
        let plot =
            plot::curves(&[("smoothed loss", &points)], "loss").x_label(label).title("Learning-rate finder");
        plot.save(picture)
            .map_err(|e| Failure::failed(format!("{}: cannot write: {e}", picture.display())))?;
    }
    match found.suggestion {
        _ if json => Ok(()),
        Some(rate) => {
            say!("suggestion: --lr {rate:.1e}");
            Ok(())
        }
        None => {
            Err(Failure::failed("the loss never falls; is something wrong with the data or the net?".into()))
        }
    }
}

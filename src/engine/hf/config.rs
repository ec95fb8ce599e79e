//! Reading `config.json`: numbers that must be there, numbers that may be, and a sentence for each that is wrong.
//!
//! A key whose value is `null` counts as absent, as it does in the transformers library. Keys of a nested
//! `text_config` come before those around it.

use serde_json::{Map, Value as Json};

use crate::text::escape;

use super::class::Class;
use super::report::{Gap, Report};

/// Characters of a wrong value that are shown.
const SHOWN: usize = 40;

/// A view of one object of a configuration file.
pub(super) struct Config<'a> {
    /// `text_config` before the object around it.
    maps: Vec<&'a Map<String, Json>>,
    /// What stands before a key in a sentence: nothing, or `rope_scaling.`.
    prefix: String,
    /// Defaults of the configuration class.
    defaults: &'static [(&'static str, f64)],
    class: &'static str,
    report: &'a Report,
}

impl<'a> Config<'a> {
    /// The whole of `config.json`.
    pub(super) fn new(json: &'a Json, class: &'static Class, report: &'a Report) -> Self {
        let outer = json.as_object();
        let inner = outer.and_then(|outer| outer.get("text_config")).and_then(Json::as_object);
        let maps = inner.into_iter().chain(outer).collect();
        Self { maps, prefix: String::new(), defaults: class.defaults, class: class.name, report }
    }

    /// The object under `key`, without defaults.
    pub(super) fn object(&self, key: &str) -> Option<Config<'a>> {
        let (value, name) = (self.find(key)?, self.name(key));
        let Some(map) = value.as_object() else {
            self.wrong(key, value, "an object");
            return None;
        };
        Some(Config { maps: vec![map], prefix: name + ".", defaults: &[], class: self.class, report: self.report })
    }

    /// Collects what is wrong.
    pub(super) fn report(&self) -> &'a Report {
        self.report
    }

    /// The key with the objects around it, as sentences show it.
    pub(super) fn name(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// Whether the key is there and not `null`.
    pub(super) fn has(&self, key: &str) -> bool {
        self.find(key).is_some()
    }

    fn find(&self, key: &str) -> Option<&'a Json> {
        self.maps.iter().find_map(|map| map.get(key).filter(|value| !value.is_null()))
    }

    /// A whole number from 1 on, if it is there or has a default.
    pub(super) fn uint(&self, key: &str) -> Option<u32> {
        let number = self.count(key)?;
        if number == 0 {
            self.problem(key, "is 0 and must be at least 1");
            return None;
        }
        Some(number)
    }

    /// The same, and its absence is reported.
    pub(super) fn need_uint(&self, key: &str) -> Option<u32> {
        self.uint(key).or_else(|| self.absent(key))
    }

    /// A whole number that may be 0.
    pub(super) fn count(&self, key: &str) -> Option<u32> {
        let Some(value) = self.find(key) else { return self.default(key).map(|number| number as u32) };
        let whole = value.as_u64().or_else(|| whole(value.as_f64()?));
        let number = whole.and_then(|number| u32::try_from(number).ok());
        if number.is_none() {
            self.wrong(key, value, "a whole number below 2^32");
        }
        number
    }

    /// The same, and its absence is reported.
    pub(super) fn need_count(&self, key: &str) -> Option<u32> {
        self.count(key).or_else(|| self.absent(key))
    }

    /// A number above 0 that an f32 can hold, if it is there or has a default.
    pub(super) fn positive(&self, key: &str) -> Option<f64> {
        let Some(value) = self.find(key) else { return self.default(key) };
        let number = value.as_f64().filter(|number| *number as f32 > 0.0 && (*number as f32).is_finite());
        if number.is_none() {
            self.wrong(key, value, "a number above 0 in the range of an f32");
        }
        number
    }

    /// The same, and its absence is reported.
    pub(super) fn need_positive(&self, key: &str) -> Option<f64> {
        self.positive(key).or_else(|| self.absent(key))
    }

    /// A list of numbers above 0, if it is there.
    pub(super) fn positives(&self, key: &str) -> Option<Vec<f32>> {
        let value = self.find(key)?;
        let number = |value: &Json| {
            let number = value.as_f64()? as f32;
            (number > 0.0 && number.is_finite()).then_some(number)
        };
        let list = value.as_array().and_then(|list| list.iter().map(number).collect::<Option<Vec<_>>>());
        if list.is_none() {
            self.wrong(key, value, "a list of numbers above 0 in the range of an f32");
        }
        list
    }

    /// A list of strings, if it is there.
    pub(super) fn words(&self, key: &str) -> Option<Vec<&'a str>> {
        let value = self.find(key)?;
        let list = value.as_array().and_then(|list| list.iter().map(Json::as_str).collect::<Option<Vec<_>>>());
        if list.is_none() {
            self.wrong(key, value, "a list of strings");
        }
        list
    }

    /// A truth value, if it is there.
    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        let value = self.find(key)?;
        let flag = value.as_bool();
        if flag.is_none() {
            self.wrong(key, value, "true or false");
        }
        flag
    }

    /// A string, if it is there.
    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        let value = self.find(key)?;
        let text = value.as_str();
        if text.is_none() {
            self.wrong(key, value, "a string");
        }
        text
    }

    /// Reports something about a key: "config.json: KEY SENTENCE".
    pub(super) fn problem(&self, key: &str, sentence: &str) {
        self.report.gap(Gap::Config, || format!("config.json: {} {sentence}", self.name(key)));
    }

    /// Reports that the key is not there, unless something else was said about it.
    fn absent<T>(&self, key: &str) -> Option<T> {
        if !self.has(key) {
            self.problem(key, "is missing");
        }
        None
    }

    fn wrong(&self, key: &str, value: &Json, wanted: &str) {
        let mut shown: String = escape(&value.to_string()).chars().take(SHOWN + 1).collect();
        if shown.chars().count() > SHOWN {
            shown.pop();
            shown.push('…');
        }
        self.problem(key, &format!("is {shown} and must be {wanted}"));
    }

    /// The documented default of a key that is absent; using it is noted.
    fn default(&self, key: &str) -> Option<f64> {
        let (_, number) = self.defaults.iter().find(|(name, _)| *name == key)?;
        self.report
            .note(format!("config.json has no {key}; {number}, the documented default for {}, was taken", self.class));
        Some(*number)
    }
}

/// The whole number that a float is, if it is one.
fn whole(number: f64) -> Option<u64> {
    (number.fract() == 0.0 && (0.0..4.5e15).contains(&number)).then_some(number as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::hf::class;
    use serde_json::json;

    fn read(json: &Json, ask: impl Fn(&Config<'_>)) -> (Vec<String>, Vec<String>) {
        let report = Report::default();
        let class = class::find(&json!({"architectures": ["Gemma3ForCausalLM"]})).unwrap();
        ask(&Config::new(json, class, &report));
        report.finish()
    }

    #[test]
    fn the_text_configuration_comes_first() {
        let json = json!({"hidden_size": 1, "a": 5, "text_config": {"hidden_size": 2.0, "a": null}});
        let (missing, _) = read(&json, |c| {
            assert_eq!(c.need_uint("hidden_size"), Some(2));
            assert_eq!(c.uint("a"), Some(5));
            assert_eq!(c.uint("b"), None);
        });
        assert!(missing.is_empty());
    }

    #[test]
    fn wrong_values_are_reported_once_and_by_name() {
        for value in [json!("7"), json!(-1), json!(1e300), json!(1.5), json!(4_294_967_296u64), json!([1]), json!(true)]
        {
            let json = json!({ "hidden_size": value });
            let (missing, _) = read(&json, |c| {
                assert_eq!(c.need_uint("hidden_size"), None);
                assert_eq!(c.uint("hidden_size"), None);
            });
            let said = format!("config.json: hidden_size is {value} and must be a whole number below 2^32");
            assert_eq!(missing, [said]);
        }
        let (missing, _) = read(&json!({"hidden_size": 0}), |c| assert_eq!(c.need_uint("hidden_size"), None));
        assert_eq!(missing, ["config.json: hidden_size is 0 and must be at least 1"]);
        for value in [json!(0.0), json!(-1.0), json!(1e300), json!("x"), json!(1e-300)] {
            let json = json!({ "rope_theta": value });
            let (missing, _) = read(&json, |c| assert_eq!(c.need_positive("rope_theta"), None));
            assert_eq!(missing.len(), 1, "{value}");
        }
        let long = json!({"tie": "x".repeat(100)});
        let (missing, _) = read(&long, |c| assert_eq!(c.flag("tie"), None));
        assert!(missing[0].len() < 100, "{missing:?}");
    }

    #[test]
    fn documented_defaults_are_used_and_told() {
        let (missing, notes) = read(&json!({}), |c| {
            assert_eq!(c.need_positive("rope_theta"), Some(1e6));
            assert_eq!(c.need_uint("head_dim"), Some(256));
            assert_eq!(c.need_uint("hidden_size"), None);
        });
        assert_eq!(missing, ["config.json: hidden_size is missing"]);
        assert_eq!(notes.len(), 2);
        assert!(notes[0].contains("rope_theta; 1000000, the documented default for Gemma3ForCausalLM"), "{notes:?}");
    }

    #[test]
    fn nested_keys_carry_their_path() {
        let json = json!({"rope_scaling": {"factor": "x"}, "rope_parameters": 7});
        let (missing, _) = read(&json, |c| {
            assert!(c.object("rope_parameters").is_none());
            let scaling = c.object("rope_scaling").unwrap();
            assert_eq!(scaling.need_positive("factor"), None);
            assert_eq!(scaling.need_uint("original"), None);
        });
        assert!(missing[0].contains("rope_parameters is 7 and must be an object"), "{missing:?}");
        assert!(missing[1].contains("rope_scaling.factor is \"x\""), "{missing:?}");
        assert_eq!(missing[2], "config.json: rope_scaling.original is missing");
    }
}

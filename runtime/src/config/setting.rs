//! A key with its form: resolved over the layers, recorded, and handed out.

use std::fmt::Debug;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::Value;

use super::effective::EffectiveValue;
use super::fault::Origin;
use super::form::{Form, Misfit, Raw};
use super::key::Key;
use super::notation::show_duration;

type Show<T> = Box<dyn Fn(&T) -> Value>;
type Test<T> = Box<dyn Fn(&T) -> bool>;

/// A key whose form is chosen. One of [`Setting::or`], [`Setting::optional`] and [`Setting::required`] reads it.
#[must_use = "a setting is read by `or`, `optional` or `required`"]
pub struct Setting<'a, T> {
    key: Key<'a>,
    form: Form<T>,
    show: Show<T>,
    tests: Vec<(String, Test<T>)>,
}

impl<'a, T> Setting<'a, T> {
    pub(super) fn new(key: Key<'a>, form: Form<T>, show: impl Fn(&T) -> Value + 'static) -> Self {
        Self {
            key,
            form,
            show: Box::new(show),
            tests: Vec::new(),
        }
    }

    /// One more rule for a given value. A built-in value is not tested.
    pub fn must(mut self, rule: impl Into<String>, test: impl Fn(&T) -> bool + 'static) -> Self {
        self.tests.push((rule.into(), Box::new(test)));
        self
    }

    /// The value, or the built-in one when no layer gives any (and after a fault, so that reading can go on).
    pub fn or(self, default: T) -> T {
        match self.resolve() {
            Found::Value(value) => value,
            Found::Faulty => default,
            Found::Absent => {
                let shown = (self.show)(&default);
                self.record(shown, Origin::Default);
                default
            }
        }
    }

    /// The value, if a layer gives one that passes its rules.
    pub fn optional(self) -> Option<T> {
        match self.resolve() {
            Found::Value(value) => Some(value),
            Found::Faulty => None,
            Found::Absent => {
                self.record(Value::Null, Origin::Default);
                None
            }
        }
    }

    /// The value; absence is a fault. `None` only after a fault, so [`super::Layers::finish`] will fail.
    pub fn required(self) -> Option<T> {
        match self.resolve() {
            Found::Value(value) => Some(value),
            Found::Faulty => None,
            Found::Absent => {
                self.report_missing();
                None
            }
        }
    }

    fn report_missing(&self) {
        let layers = self.key.section.layers;
        if !layers.is_complete() {
            return;
        }
        let what = match self.key.environment.as_slice() {
            [] => "missing".to_owned(),
            names => format!("missing (give it in the file, or set {})", names.join(" or ")),
        };
        layers.fault(layers.origin_at(self.key.section.at), &self.key.key_path(), what);
    }

    /// Every layer that gives the key is checked; the highest one counts.
    fn resolve(&self) -> Found<T> {
        let layers = self.key.section.layers;
        let path = self.key.key_path();
        let file = self
            .key
            .in_file()
            .map(|node| (Raw::Node(node), layers.origin_at(Some(node.at))));
        let environment = self.key.in_environment();
        let environment = environment.map(|(name, text)| (Raw::Text(text), Origin::Environment(name.to_owned())));
        let flag = layers
            .flag(&path)
            .map(|text| (Raw::Text(text), Origin::Flag(path.clone())));

        let given = [file, environment, flag].into_iter().flatten();
        let read: Vec<_> = given.map(|(raw, origin)| (self.read(raw, &origin), origin)).collect();
        match read.into_iter().next_back() {
            None => Found::Absent,
            Some((None, _)) => Found::Faulty,
            Some((Some(value), origin)) => {
                self.record((self.show)(&value), origin);
                Found::Value(value)
            }
        }
    }

    fn read(&self, raw: Raw<'_>, origin: &Origin) -> Option<T> {
        match (self.form)(raw) {
            Err(misfits) => {
                for misfit in misfits {
                    self.report(misfit, origin);
                }
                None
            }
            Ok(value) => match self.tests.iter().find(|(_, test)| !test(&value)) {
                None => Some(value),
                Some((rule, _)) => {
                    let misfit = Misfit {
                        shown: Some(self.shown(&value)),
                        ..Misfit::new("not accepted", rule)
                    };
                    self.report(misfit, origin);
                    None
                }
            },
        }
    }

    fn shown(&self, value: &T) -> String {
        (self.show)(value).to_string()
    }

    fn report(&self, misfit: Misfit, origin: &Origin) {
        let layers = self.key.section.layers;
        let origin = match (misfit.at, origin) {
            (Some(at), Origin::File(..)) => layers.origin_at(Some(at)),
            (_, origin) => origin.clone(),
        };
        let value = match misfit.shown {
            Some(_) if self.key.secret => " (the value is secret)".to_owned(),
            Some(text) => format!(": {text}"),
            None => String::new(),
        };
        let what = format!("{}{value} ({})", misfit.problem, misfit.rule);
        layers.fault(origin, &format!("{}{}", self.key.key_path(), misfit.suffix), what);
    }

    fn record(&self, value: Value, origin: Origin) {
        let value = if self.key.secret && !value.is_null() {
            Value::from("(secret)")
        } else {
            value
        };
        self.key.section.layers.in_force(EffectiveValue {
            key: self.key.key_path(),
            value,
            origin,
        });
    }
}

impl Setting<'_, Duration> {
    /// Only spans within these bounds, both included.
    pub fn between(self, bounds: RangeInclusive<Duration>) -> Self {
        let rule = format!(
            "from {} to {}",
            show_duration(*bounds.start()),
            show_duration(*bounds.end())
        );
        self.must(rule, move |value| bounds.contains(value))
    }
}

impl Setting<'_, u64> {
    /// Only sizes within these bounds, both included.
    pub fn between(self, bounds: RangeInclusive<u64>) -> Self {
        self.must(format!("from {} to {}", bounds.start(), bounds.end()), move |value| {
            bounds.contains(value)
        })
    }
}

impl<T: Debug> Debug for Setting<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setting")
            .field("key", &self.key.key_path())
            .finish_non_exhaustive()
    }
}

enum Found<T> {
    Absent,
    Faulty,
    Value(T),
}

//! The recipe: everything a user decides, as one value and as one TOML file.
//!
//! Both faces edit this value; `--recipe` reads it, `recipe show` and the interface write it, and an export embeds it in
//! its output's metadata. The file's form has a version so that later programs can tell.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::calibration::CalibrationChoice;
use super::pattern::Pattern;
use super::rule::{Action, Rule};
use crate::engine::codec::DType;
use crate::engine::error::{Error, Result};
use crate::engine::model::Role;
use crate::engine::ternary::{Format, Method};

/// Which tensors go ternary before any rule is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mask {
    /// Routed experts only.
    Experts,
    /// Every linear layer but router, embeddings and head.
    All,
    /// None: only what rules pick.
    Custom,
}

impl Mask {
    /// Every mask, in the order that the interface cycles through.
    pub const ALL: [Self; 3] = [Self::Experts, Self::All, Self::Custom];

    /// Name on the command line and in recipes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Experts => "experts",
            Self::All => "all",
            Self::Custom => "custom",
        }
    }

    /// Whether a tensor of this role is taken.
    pub fn takes(self, role: Role) -> bool {
        match self {
            Self::Experts => role.is_routed_expert(),
            Self::All => role.is_linear(),
            Self::Custom => false,
        }
    }
}

/// What becomes of a tensor whose rows do not divide by the format's block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fallback {
    /// Another ternary format with shorter blocks.
    Q2_0,
    /// It stays as it is.
    None,
}

/// Precision of the tensors that stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// As in the source, byte for byte.
    Source,
    /// Half floats.
    F16,
    /// Brain floats.
    Bf16,
    /// Single floats.
    F32,
    /// 8 bits in blocks of 32.
    Q8_0,
    /// 6.56 bits in blocks of 256.
    #[serde(rename = "q6_k")]
    Q6K,
    /// 4.5 bits in blocks of 32.
    Q4_0,
}

impl Precision {
    /// Every precision with its name on the command line and in recipes.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::Source, "source"),
        (Self::F16, "f16"),
        (Self::Bf16, "bf16"),
        (Self::F32, "f32"),
        (Self::Q8_0, "q8_0"),
        (Self::Q6K, "q6_k"),
        (Self::Q4_0, "q4_0"),
    ];

    /// The type that kept tensors are converted to, if they are.
    pub fn dtype(self) -> Option<DType> {
        match self {
            Self::Source => None,
            Self::F16 => Some(DType::F16),
            Self::Bf16 => Some(DType::BF16),
            Self::F32 => Some(DType::F32),
            Self::Q8_0 => Some(DType::Q8_0),
            Self::Q6K => Some(DType::Q6_K),
            Self::Q4_0 => Some(DType::Q4_0),
        }
    }

    /// Name on the command line and in recipes.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(p, _)| *p == self).map_or("source", |(_, name)| name)
    }

    /// What ruvllm calls it (`craftsman.bitnet.router_precision`); it knows floats only.
    pub fn ruvllm_name(self) -> &'static str {
        match self {
            Self::Bf16 => "bf16",
            Self::F32 => "f32",
            _ => "f16",
        }
    }
}

impl FromStr for Precision {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        Self::ALL.iter().find(|(_, name)| name.eq_ignore_ascii_case(s)).map(|(p, _)| *p).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|(_, name)| *name).collect();
            format!("unknown precision '{s}': one of {}", names.join(", "))
        })
    }
}

/// Everything a user decides about an export, but where it goes.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recipe {
    /// Version of the file's form; 1.
    pub version: u32,
    /// Default format.
    pub format: Format,
    /// Default method.
    pub method: Method,
    /// The mask that rules start from.
    pub layers: Mask,
    /// Where rows do not divide by the block.
    pub fallback: Fallback,
    /// Precision of what stays.
    pub keep_precision: Precision,
    /// The same for token embeddings, where it is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embeddings: Option<Precision>,
    /// The same for the output head.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<Precision>,
    /// File of the importance matrix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub imatrix: Option<PathBuf>,
    /// Chunks that the importance matrix is expected to be made from; another number is told.
    #[serde(skip_serializing_if = "is_default_samples")]
    pub calibration_samples: usize,
    /// Tensors and roles whose protection is lifted.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "names_or_roles")]
    pub unprotect: Vec<Pattern>,
    /// How calibrated codes are made.
    #[serde(skip_serializing_if = "CalibrationChoice::is_default")]
    pub calibration: Box<CalibrationChoice>,
    /// Ordered rules; the last match wins.
    #[serde(rename = "rule", skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
}

/// The seed's default of `calibration_samples`.
const CALIBRATION_SAMPLES: usize = 1000;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_default_samples(samples: &usize) -> bool {
    *samples == CALIBRATION_SAMPLES
}

fn names_or_roles<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Pattern>, D::Error> {
    let texts = <Vec<String> as serde::Deserialize>::deserialize(deserializer)?;
    texts.iter().map(|text| Pattern::name_or_role(text).map_err(serde::de::Error::custom)).collect()
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            version: 1,
            format: Format::Tq2_0,
            method: Method::Exact,
            layers: Mask::Experts,
            fallback: Fallback::Q2_0,
            keep_precision: Precision::Source,
            embeddings: None,
            head: None,
            imatrix: None,
            calibration_samples: CALIBRATION_SAMPLES,
            unprotect: Vec::new(),
            calibration: Box::default(),
            rules: Vec::new(),
        }
    }
}

impl Recipe {
    /// Reads a recipe file. Errors: unreadable; not TOML; unknown keys, patterns or a version other than 1, with the
    /// line and column that the parser names.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| match e.kind() {
            std::io::ErrorKind::InvalidData => Error::Usage(format!("{}: not a text file", path.display())),
            _ => Error::io(path, "read", e),
        })?;
        text.parse().map_err(|e: String| Error::Usage(format!("{}: {e}", path.display())))
    }

    /// The recipe as TOML.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|e| Error::Usage(format!("the recipe cannot be written as TOML: {e}")))
    }

    /// The flags that say the same, behind a subcommand.
    pub fn flags(&self) -> Vec<String> {
        let default = Self::default();
        let mut flags: Vec<String> = vec!["--format".into(), self.format.name().into()];
        flags.extend(["--method".into(), self.method.name().into()]);
        flags.extend(["--layers".into(), self.layers.name().into()]);
        if self.fallback != default.fallback {
            flags.extend(["--fallback".into(), "none".into()]);
        }
        if self.keep_precision != default.keep_precision {
            flags.extend(["--keep-precision".into(), self.keep_precision.name().into()]);
        }
        for (flag, precision) in [("--embeddings", self.embeddings), ("--head", self.head)] {
            if let Some(precision) = precision {
                flags.extend([flag.into(), precision.name().into()]);
            }
        }
        if let Some(imatrix) = &self.imatrix {
            flags.extend(["--imatrix".into(), imatrix.to_string_lossy().into_owned()]);
        }
        if self.calibration_samples != default.calibration_samples {
            flags.extend(["--calibration-samples".into(), self.calibration_samples.to_string()]);
        }
        flags.extend(self.calibration.flags());
        for pattern in &self.unprotect {
            flags.extend(["--unprotect".into(), pattern.to_string()]);
        }
        for rule in &self.rules {
            flags.extend(match rule.action {
                Action::KEEP => ["--keep".into(), rule.pattern.to_string()],
                Action::TERNARY => ["--ternary".into(), rule.pattern.to_string()],
                _ => ["--rule".into(), rule.to_string()],
            });
        }
        flags
    }
}

impl FromStr for Recipe {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let recipe: Self = toml::from_str(text).map_err(|e| e.to_string().trim_end().to_owned())?;
        if recipe.version != 1 {
            return Err(format!("recipe version {}; this program reads version 1", recipe.version));
        }
        Ok(recipe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_survives_its_file() {
        let recipe = Recipe {
            layers: Mask::Custom,
            unprotect: vec!["role:router".parse().unwrap()],
            calibration: Box::new(CalibrationChoice {
                moments: Some("m.safetensors".into()),
                rounds: 2,
                ..CalibrationChoice::default()
            }),
            rules: vec![
                Rule { pattern: "blk.*".parse().unwrap(), action: Action::TERNARY },
                Rule { pattern: "re:attn_[kv]".parse().unwrap(), action: Action::KEEP },
                "re:attn_q=keep:q6_k".parse().unwrap(),
                Rule {
                    pattern: "blk.0.ffn_up.weight".parse().unwrap(),
                    action: Action::Ternary { format: Some(Format::Q2_0), method: Some(Method::Twn) },
                },
            ],
            ..Recipe::default()
        };
        let text = recipe.to_toml().unwrap();
        assert_eq!(text.parse::<Recipe>().unwrap(), recipe);
        let flags = recipe.flags();
        let said: Vec<&str> = flags.iter().map(String::as_str).skip_while(|flag| *flag != "--unprotect").collect();
        let rules = ["--ternary", "blk.*", "--keep", "re:attn_[kv]", "--rule", "re:attn_q=keep:q6_k"];
        assert_eq!(said[2..8], rules);
        assert_eq!(said[8..], ["--rule", "blk.0.ffn_up.weight=ternary:q2_0:twn"]);
        assert_eq!("".parse::<Recipe>().unwrap(), Recipe::default());
    }

    #[test]
    fn mistakes_in_a_file_are_named() {
        let unknown = "formt = \"tq2_0\"".parse::<Recipe>().unwrap_err();
        assert!(unknown.contains("formt") && unknown.contains("line 1"), "{unknown}");
        assert!("version = 2".parse::<Recipe>().unwrap_err().contains("version 2"));
        let keep = "[[rule]]\nmatch = \"a*\"\naction = \"keep\"\nformat = \"q2_0\"";
        assert!(keep.parse::<Recipe>().unwrap_err().contains("no format"));
        let ternary = "[[rule]]\nmatch = \"a*\"\naction = \"ternary\"\nprecision = \"q8_0\"";
        assert!(ternary.parse::<Recipe>().unwrap_err().contains("no precision"));
    }
}

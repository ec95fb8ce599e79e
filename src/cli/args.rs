//! What can be typed. Declarations only; each field's doc comment is its help text.

mod calibration;
mod compare;
mod inspect;
mod interface;
mod moments;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::engine::codec::DType;
use crate::engine::codec::dialect::parse_override;
use crate::engine::demo;
use crate::engine::error::{Error, Result};
use crate::engine::export::{ExportOptions, Verify};
use crate::engine::model::OpenOptions;
use crate::engine::plan::budget::Goal;
use crate::engine::plan::{Action, Fallback, Mask, Pattern, Precision, Recipe, Rule};
use crate::engine::ternary::kernels::Kernel;
use crate::engine::ternary::{Format, Method};

pub use calibration::CalibrationArgs;
pub use compare::CompareArgs;
pub use inspect::InspectArgs;
pub use interface::{ConfigArgs, InterfaceArgs};
pub use moments::{
    MomentsCommand, MomentsInfoArgs, MomentsMergeArgs, MomentsOutputArgs, MomentsSubcommand, MomentsToImatrixArgs,
};

/// Most worker threads: more than any machine has, few enough to be started.
const MAX_THREADS: i64 = 1024;

/// The version, and the kernel that works here.
fn long_version() -> &'static str {
    macro_rules! with {
        ($kernel:literal) => {
            concat!(env!("CARGO_PKG_VERSION"), "\nkernel: ", $kernel)
        };
    }
    match Kernel::current() {
        Kernel::Scalar => with!("scalar"),
        Kernel::Avx2 => with!("avx2"),
        Kernel::Avx512 => with!("avx512"),
        Kernel::Neon => with!("neon"),
    }
}

/// Browse a model's tensors, choose what goes ternary with the error in sight, and export a GGUF that llama.cpp loads.
///
/// With a FILE, opens the interface on it; with nothing, offers a file picker.
#[derive(Debug, Parser)]
#[command(name = "tritscope", version, long_version = long_version())]
#[command(args_conflicts_with_subcommands = true, max_term_width = 100)]
pub struct Cli {
    /// Model to open in the interface: a GGUF or safetensors file, any shard, or a folder
    pub file: Option<PathBuf>,
    /// Start the interface with this recipe
    #[arg(long, value_name = "FILE")]
    pub recipe: Option<PathBuf>,
    /// Worker threads [default: as many as the system gives this process]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=MAX_THREADS))]
    pub threads: Option<u16>,
    /// Importance matrix: what each input channel counts
    #[arg(long, value_name = "FILE")]
    pub imatrix: Option<PathBuf>,
    /// For safetensors: take names and metadata from this GGUF of the same architecture
    #[arg(long, value_name = "GGUF")]
    pub base: Option<PathBuf>,
    /// How the file is read
    #[command(flatten)]
    pub open: OpenArgs,
    /// How the interface looks and behaves
    #[command(flatten)]
    pub interface: InterfaceArgs,
    /// What to do without the interface
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do without the interface.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what is in a model file
    Inspect(InspectArgs),
    /// Try a quantization without writing anything: types, sizes, errors
    Plan(PlanArgs),
    /// Quantize a model and write a GGUF
    Quantize(QuantizeArgs),
    /// Move ternary tensors to another ternary format: same trits, same scales
    Repack(RepackArgs),
    /// Put two models side by side, tensor by tensor, errors relative to the first; exit code 1 where they differ
    Compare(CompareArgs),
    /// Work with second moments of layer inputs: show them, merge them, make them an importance matrix
    Moments(MomentsCommand),
    /// Work with recipe files
    Recipe(RecipeCommand),
    /// Show the configuration that holds, or where its file is
    Config(ConfigArgs),
    /// The built-in demo model: show it, write it, or run the main job on it
    Demo(DemoArgs),
}

/// How a file is read.
#[derive(Debug, Clone, Args)]
pub struct OpenArgs {
    /// Read the file through buffers instead of mapping it
    #[arg(long)]
    pub no_mmap: bool,
    /// What a type number means in this file, such as 42=Q2_0_G128 or 36=I2_S_ARM; otherwise told from the offsets
    #[arg(long, value_name = "N=NAME", value_parser = parse_override)]
    pub dialect: Vec<DType>,
    /// Order of the dimensions in the file [default: told from the file]
    #[arg(long, value_name = "ORDER")]
    pub dims: Option<DimsArg>,
}

/// `--dims`.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum DimsArg {
    /// Row length first, as GGUF has it
    Gguf,
    /// Rows first, as ruvllm writes them
    RowsFirst,
}

impl OpenArgs {
    /// The engine's options.
    pub fn options(&self) -> OpenOptions {
        OpenOptions {
            mmap: !self.no_mmap,
            dialects: self.dialect.clone(),
            rows_first: self.dims.map(|order| matches!(order, DimsArg::RowsFirst)),
        }
    }
}

/// Arguments of `repack`.
#[derive(Debug, Args)]
pub struct RepackArgs {
    /// Model file
    #[arg(value_name = "SRC")]
    pub file: PathBuf,
    /// File to write
    #[arg(short, long, value_name = "OUT")]
    pub output: PathBuf,
    /// Ternary format to move to
    #[arg(long, value_name = "FORMAT", ignore_case = true, value_parser = repack_formats())]
    pub to: String,
    /// Let tensors that cannot take the format stay as they are
    #[arg(long)]
    pub partial: bool,
    /// How the file is read
    #[command(flatten)]
    pub open: OpenArgs,
    /// How the file is written
    #[command(flatten)]
    pub write: WriteArgs,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Model file
    pub file: PathBuf,
    /// Measure every weight instead of a sample
    #[arg(long)]
    pub exact: bool,
    /// Most tensor data, such as 92MiB or 2.5bpw: of what no rule decides, the least sensitive tensors go ternary
    #[arg(long, value_name = "SIZE|BPWbpw")]
    pub budget: Option<Goal>,
    /// Write the recipe of this plan to a file, for quantize --recipe
    #[arg(long, value_name = "FILE")]
    pub save_recipe: Option<PathBuf>,
    /// Measure all that may go ternary, and write its error by layer and role to FILE.svg, .csv or .json
    #[arg(long, value_name = "FILE")]
    pub chart: Option<PathBuf>,
    /// What goes ternary, and how
    #[command(flatten)]
    pub choice: ChoiceArgs,
    /// How the work is done
    #[command(flatten)]
    pub run: RunArgs,
}

/// Arguments of `quantize`.
#[derive(Debug, Args)]
pub struct QuantizeArgs {
    /// Model file
    #[arg(value_name = "SRC")]
    pub file: PathBuf,
    /// File to write
    #[arg(short, long, value_name = "OUT")]
    pub output: PathBuf,
    /// What goes ternary, and how
    #[command(flatten)]
    pub choice: ChoiceArgs,
    /// How the work is done
    #[command(flatten)]
    pub run: RunArgs,
}

/// Arguments of `recipe`.
#[derive(Debug, Args)]
pub struct RecipeCommand {
    /// What to do with it
    #[command(subcommand)]
    pub command: RecipeSubcommand,
}

/// What can be done with recipes.
#[derive(Debug, Subcommand)]
pub enum RecipeSubcommand {
    /// Print the recipe that the given flags and recipe file make together
    Show(RecipeShowArgs),
}

/// Arguments of `recipe show`.
#[derive(Debug, Args)]
pub struct RecipeShowArgs {
    /// Write it to this file instead of printing it
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// What goes ternary, and how
    #[command(flatten)]
    pub choice: ChoiceArgs,
}

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Write the demo model to this file and stop
    #[arg(long, value_name = "FILE")]
    pub write: Option<PathBuf>,
    /// With --write: a model of so many tensors instead, nearly all of them holes in the file, to try speed on
    #[arg(long, value_name = "N", requires = "write", value_parser = clap::value_parser!(u64).range(demo::LEAST..=demo::MOST))]
    pub tensors: Option<u64>,
    /// Inspect, plan, quantize and check without the interface, as is done where there is no terminal
    #[arg(long)]
    pub headless: bool,
    /// How the interface looks and behaves
    #[command(flatten)]
    pub interface: InterfaceArgs,
}

/// What goes ternary, and how: the recipe as flags.
#[derive(Debug, Args)]
pub struct ChoiceArgs {
    /// Ternary format [default: tq2_0]
    #[arg(long, ignore_case = true, value_parser = formats())]
    format: Option<String>,
    /// How scale and trits are chosen [default: exact]
    #[arg(long, ignore_case = true, value_parser = PossibleValuesParser::new(["exact", "absmean", "refit", "twn", "max", "calibrated", "lossless"]))]
    method: Option<String>,
    /// Which layers go ternary before rules are asked [default: experts]
    #[arg(long)]
    layers: Option<MaskArg>,
    /// Make what this pattern picks ternary (glob, re:REGEX, role:NAME or a name); the last match wins
    #[arg(long, value_name = "PATTERN")]
    ternary: Vec<Pattern>,
    /// Keep what this pattern picks; the last match wins
    #[arg(long, value_name = "PATTERN")]
    keep: Vec<Pattern>,
    /// A rule in full: PATTERN=keep:TYPE, PATTERN=ternary:FORMAT, PATTERN=ternary:FORMAT:METHOD; the last match wins
    #[arg(long, value_name = "PATTERN=ACTION")]
    rule: Vec<Rule>,
    /// Lift the protection of a tensor or of a role (router, token_embd, output, position)
    #[arg(long, value_name = "NAME|ROLE")]
    unprotect: Vec<String>,
    /// Read a recipe file first; flags override it and add rules behind its own
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,
    /// Where rows do not divide by the format's block [default: q2_0]
    #[arg(long, value_parser = PossibleValuesParser::new(["q2_0", "none"]))]
    fallback: Option<String>,
    /// Precision of the tensors that stay [default: source]
    #[arg(long, value_name = "TYPE", ignore_case = true, value_parser = precisions())]
    keep_precision: Option<String>,
    /// Precision of token embeddings that stay [default: that of the others]
    #[arg(long, value_name = "TYPE", ignore_case = true, value_parser = precisions())]
    embeddings: Option<String>,
    /// Precision of the output head if it stays [default: that of the others]
    #[arg(long, value_name = "TYPE", ignore_case = true, value_parser = precisions())]
    head: Option<String>,
    /// Importance matrix (GGUF or .dat): exact then minimises the weighted error
    #[arg(long, value_name = "FILE")]
    imatrix: Option<PathBuf>,
    /// Chunks that the importance matrix should be made from; another number is told [default: 1000]
    #[arg(long, value_name = "N")]
    calibration_samples: Option<usize>,
    /// How method calibrated works
    #[command(flatten)]
    calibration: CalibrationArgs,
    /// Order in which --ternary, --keep and --rule were typed; filled in by [`parse`].
    #[arg(skip)]
    rules: Vec<Rule>,
}

/// How the work is done.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// How the file is read
    #[command(flatten)]
    pub open: OpenArgs,
    /// For safetensors: take names and metadata from this GGUF of the same architecture
    #[arg(long, value_name = "GGUF")]
    pub base: Option<PathBuf>,
    /// Stop with exit code 1, before any data is read, if a requested tensor cannot have the requested format
    #[arg(long)]
    pub strict: bool,
    /// How the file is written
    #[command(flatten)]
    pub write: WriteArgs,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// How a file is written.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct WriteArgs {
    /// Worker threads [default: as many as the system gives this process]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=MAX_THREADS))]
    pub threads: Option<u16>,
    /// Most working memory, such as 512M or 2G
    #[arg(long, value_name = "SIZE", default_value = "64G", value_parser = parse_size)]
    pub max_memory: u64,
    /// Replace an existing output
    #[arg(long)]
    pub force: bool,
    /// Write a split source as a split output, OUT-00001-of-0000N.gguf
    #[arg(long)]
    pub keep_split: bool,
    /// How far the output is read back before it gets its name
    #[arg(long, value_name = "LEVEL", default_value = "hash")]
    pub verify: VerifyArg,
    /// Do not wait for the disk
    #[arg(long)]
    pub no_sync: bool,
    /// Leave out the metadata that tells what made the file, from what and how
    #[arg(long)]
    pub no_provenance: bool,
}

impl WriteArgs {
    /// The engine's options for this output.
    pub fn options(&self, out: &std::path::Path) -> ExportOptions {
        ExportOptions {
            force: self.force,
            verify: self.verify.into(),
            sync: !self.no_sync,
            provenance: !self.no_provenance,
            max_memory: self.max_memory,
            keep_split: self.keep_split,
            ..ExportOptions::new(out)
        }
    }
}

/// Names of all formats, for clap.
fn formats() -> PossibleValuesParser {
    PossibleValuesParser::new(Format::ALL.map(Format::name))
}

/// Names of the formats whose blocks are nothing but trits and a scale.
fn repack_formats() -> PossibleValuesParser {
    PossibleValuesParser::new(Format::ALL.into_iter().filter(|f| f.dtype().is_ternary()).map(Format::name))
}

fn precisions() -> PossibleValuesParser {
    PossibleValuesParser::new(Precision::ALL.map(|(_, name)| name))
}

/// `--layers`.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum MaskArg {
    /// Routed experts only
    Experts,
    /// Every linear layer but router, embeddings and head
    All,
    /// Only what --ternary picks
    Custom,
}

/// `--verify`.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum VerifyArg {
    /// The header only
    None,
    /// The header, and the data against its hash
    Hash,
    /// That, and every error computed again from the output
    Full,
}

impl From<VerifyArg> for Verify {
    fn from(arg: VerifyArg) -> Self {
        match arg {
            VerifyArg::None => Self::None,
            VerifyArg::Hash => Self::Hash,
            VerifyArg::Full => Self::Full,
        }
    }
}

impl ChoiceArgs {
    /// The recipe that the recipe file and the flags make together.
    pub fn recipe(&self) -> Result<Recipe> {
        let mut recipe = self.recipe.as_deref().map_or_else(|| Ok(Recipe::default()), Recipe::read)?;
        if let Some(format) = &self.format {
            recipe.format = format.parse::<Format>().map_err(Error::Usage)?;
        }
        if let Some(method) = &self.method {
            recipe.method = method.parse::<Method>().map_err(Error::Usage)?;
        }
        if let Some(layers) = self.layers {
            recipe.layers = match layers {
                MaskArg::Experts => Mask::Experts,
                MaskArg::All => Mask::All,
                MaskArg::Custom => Mask::Custom,
            };
        }
        if let Some(fallback) = &self.fallback {
            recipe.fallback = if fallback == "none" { Fallback::None } else { Fallback::Q2_0 };
        }
        let parse = |text: &String| text.parse::<Precision>().map_err(Error::Usage);
        if let Some(precision) = &self.keep_precision {
            recipe.keep_precision = parse(precision)?;
        }
        if let Some(precision) = &self.embeddings {
            recipe.embeddings = Some(parse(precision)?);
        }
        if let Some(precision) = &self.head {
            recipe.head = Some(parse(precision)?);
        }
        if let Some(imatrix) = &self.imatrix {
            recipe.imatrix = Some(imatrix.clone());
        }
        if let Some(samples) = self.calibration_samples {
            recipe.calibration_samples = samples;
        }
        self.calibration.over(&mut recipe.calibration)?;
        for text in &self.unprotect {
            recipe.unprotect.push(Pattern::name_or_role(text).map_err(Error::Usage)?);
        }
        recipe.rules.extend(self.rules.iter().cloned());
        Ok(recipe)
    }

    /// Puts `--ternary`, `--keep` and `--rule` in the order in which they were typed.
    fn order_rules(&mut self, matches: &ArgMatches) {
        let of = |patterns: &[Pattern], action: Action| -> Vec<Rule> {
            patterns.iter().map(|pattern| Rule { pattern: pattern.clone(), action }).collect()
        };
        let typed = [
            ("ternary", of(&self.ternary, Action::TERNARY)),
            ("keep", of(&self.keep, Action::KEEP)),
            ("rule", self.rule.clone()),
        ];
        let at = |name: &str| matches.indices_of(name).into_iter().flatten();
        let mut rules: Vec<(usize, Rule)> = typed.into_iter().flat_map(|(name, rules)| at(name).zip(rules)).collect();
        rules.sort_by_key(|(index, _)| *index);
        self.rules = rules.into_iter().map(|(_, rule)| rule).collect();
    }
}

/// The words of a command line with the subcommand before the options that were typed before it: they are its own.
fn command_first(mut words: Vec<OsString>) -> Vec<OsString> {
    let command = Cli::command();
    let mut at = 1;
    while let Some(word) = words.get(at).and_then(|word| word.to_str()) {
        let Some(option) = word.strip_prefix("--").filter(|option| !option.is_empty()) else { break };
        let (long, joined) = option.split_once('=').map_or((option, false), |(long, _)| (long, true));
        let Some(known) = command.get_arguments().find(|arg| arg.get_long() == Some(long)) else { return words };
        let value = known.get_action().takes_values() && !known.is_require_equals_set() && !joined;
        at += 1 + usize::from(value);
    }
    let names = |word: &OsString| word.to_str().is_some_and(|word| command.find_subcommand(word).is_some());
    if at > 1 && words.get(at).is_some_and(names) {
        words[1..=at].rotate_right(1);
    }
    words
}

/// Parses the command line; exits with code 2 and clap's message where it is wrong.
pub fn parse() -> Cli {
    let matches = Cli::command().get_matches_from(command_first(std::env::args_os().collect()));
    let mut cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(e) => e.exit(),
    };
    let below = matches.subcommand().map(|(_, m)| m);
    match (&mut cli.command, below) {
        (Some(Command::Plan(args)), Some(m)) => args.choice.order_rules(m),
        (Some(Command::Quantize(args)), Some(m)) => args.choice.order_rules(m),
        (Some(Command::Recipe(args)), Some(m)) => {
            let RecipeSubcommand::Show(show) = &mut args.command;
            if let Some((_, m)) = m.subcommand() {
                show.choice.order_rules(m);
            }
        }
        _ => {}
    }
    cli
}

/// The long options of the interface and of every subcommand with their help, for the README's table.
pub fn option_table() -> Vec<(String, String, String)> {
    let command = Cli::command();
    let mut rows = options_of("interface", &command);
    for sub in command.get_subcommands() {
        rows.extend(options_of(sub.get_name(), sub));
        for below in sub.get_subcommands() {
            rows.extend(options_of(&format!("{} {}", sub.get_name(), below.get_name()), below));
        }
    }
    rows
}

/// Long options of one command under this name.
fn options_of(name: &str, command: &clap::Command) -> Vec<(String, String, String)> {
    let row = |arg: &clap::Arg| {
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        arg.get_long().map(|long| (name.to_owned(), format!("--{long}"), help))
    };
    command.get_arguments().filter_map(row).collect()
}

/// Bytes with an optional binary suffix: `4096`, `512M`, `2GiB`.
fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().map_err(|_| format!("'{text}' is no size; write 4096, 512M or 2G"))?;
    let shift = match text[digits..].to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        unit => return Err(format!("unknown unit '{unit}'; use K, M, G or T")),
    };
    number.checked_mul(1 << shift).ok_or_else(|| format!("'{text}' is more than 64 bits hold"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_declarations_are_consistent() {
        Cli::command().debug_assert();
        assert!(option_table().iter().any(|(sub, long, _)| sub == "quantize" && long == "--keep-precision"));
    }

    #[test]
    fn options_before_a_command_are_its_own() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        for (typed, read) in [
            ("t --no-restore demo", "t demo --no-restore"),
            ("t --threads 2 --ascii plan m.gguf --json", "t plan --threads 2 --ascii m.gguf --json"),
            ("t --theme=dark --log x config --path", "t config --theme=dark --log x --path"),
            ("t demo --no-restore", "t demo --no-restore"),
            ("t --log demo m.gguf", "t --log demo m.gguf"),
            ("t --no-restore ./demo", "t --no-restore ./demo"),
            ("t --nothing demo", "t --nothing demo"),
            ("t -- demo", "t -- demo"),
            ("t", "t"),
        ] {
            assert_eq!(command_first(words(typed)), words(read), "{typed}");
        }
        let line = command_first(words("tritscope --no-restore demo"));
        assert!(matches!(Cli::try_parse_from(line).unwrap().command, Some(Command::Demo(_))));
    }

    #[test]
    fn sizes_have_binary_suffixes() {
        assert_eq!(parse_size("4096"), Ok(4096));
        assert_eq!(parse_size("512M"), Ok(512 << 20));
        assert_eq!(parse_size("2GiB"), Ok(2 << 30));
        assert!(parse_size("12x").is_err() && parse_size("").is_err() && parse_size("99999999T").is_err());
    }

    #[test]
    fn rules_keep_the_order_in_which_they_were_typed() {
        let line = "tritscope plan m.gguf --keep a* --ternary b* --rule d*=keep:q8_0 --keep c*".split(' ');
        let matches = Cli::command().get_matches_from(line);
        let Some(Command::Plan(mut plan)) = Cli::from_arg_matches(&matches).unwrap().command else { panic!() };
        plan.choice.order_rules(matches.subcommand().unwrap().1);
        let recipe = plan.choice.recipe().unwrap();
        let patterns: Vec<String> = recipe.rules.iter().map(|r| r.pattern.to_string()).collect();
        assert_eq!(patterns, ["a*", "b*", "d*", "c*"]);
        assert_eq!(recipe.rules[1].action, Action::TERNARY);
    }
}

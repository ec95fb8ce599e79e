//! What lies over the main screen and takes the keys: help, lists, forms, questions.

use std::path::PathBuf;

use super::copying::CopyMenu;
use super::edit::{Target as EditTarget, TypeMenu};
use super::input::TextInput;
use super::palette::Palette;
use super::picker::{Picker, Purpose};
use super::presets::PresetMenu;
pub use super::quantize::{QuantizeField, QuantizeForm};
use crate::engine::ternary::{Format, Method};
use crate::jobs::JobId;
use crate::tui::keymap::Context;

/// The open dialog.
#[derive(Debug, Clone)]
pub enum Dialog {
    /// Every key.
    Help(Box<HelpText>),
    /// Every command.
    Palette(Box<Palette>),
    /// What can be copied.
    Copy(CopyMenu),
    /// What the program said so far.
    Messages(Scroll),
    /// The exports.
    Jobs(JobsDialog),
    /// What is needed to start an export.
    Quantize(QuantizeForm),
    /// What people mostly begin with.
    Presets(PresetMenu),
    /// What the selection can be made, and the selection.
    Types(TypeMenu, EditTarget),
    /// Which recipe file to read.
    ReadRecipe(SaveForm),
    /// Where to write the recipe.
    SaveRecipe(SaveForm),
    /// Where to write the report of the plan.
    SaveReport(SaveForm),
    /// What a method is to be applied to.
    Apply(ApplyForm),
    /// Where to write the sensitivity chart.
    SaveChart(SaveForm),
    /// Jobs are active: what then.
    Quit,
    /// Choosing a file.
    Picker(Picker),
    /// A file could not be opened.
    Failure {
        /// The file.
        path: PathBuf,
        /// Why.
        message: String,
        /// What it was to be opened for.
        purpose: Purpose,
    },
}

impl Dialog {
    /// What is asked below help and palette: what comes from the background is for it.
    pub fn asking(&mut self) -> Option<&mut Self> {
        match self {
            Self::Help(help) => help.beneath.as_mut()?.asking(),
            Self::Palette(palette) => palette.beneath.as_mut()?.asking(),
            other => Some(other),
        }
    }

    /// What is left once what is asked is settled: help and palette stay open over nothing.
    pub fn settled(self) -> Option<Self> {
        let without = |beneath: Option<Box<Self>>| beneath.and_then(|dialog| dialog.settled()).map(Box::new);
        match self {
            Self::Help(mut help) => {
                help.beneath = without(help.beneath.take());
                Some(Self::Help(help))
            }
            Self::Palette(mut palette) => {
                palette.beneath = without(palette.beneath.take());
                Some(Self::Palette(palette))
            }
            _ => None,
        }
    }
}

/// The list of keys.
#[derive(Debug, Clone)]
pub struct HelpText {
    /// What had the keys before: its keys come first.
    pub of: Context,
    /// The dialog that it lies over.
    pub beneath: Option<Box<Dialog>>,
    /// Where it is scrolled to.
    pub scroll: Scroll,
    /// What lines have to contain.
    pub search: TextInput,
    /// Whether keys go into the search.
    pub searching: bool,
}

impl HelpText {
    /// Help for what has the keys, over the dialog that has them, if one has.
    pub fn new(of: Context, beneath: Option<Dialog>) -> Self {
        let (scroll, search) = (Scroll::default(), TextInput::default());
        Self { of, beneath: beneath.map(Box::new), scroll, search, searching: false }
    }

    /// Every context in the order of its sections: first what held where it was opened.
    pub fn order(&self) -> Vec<Context> {
        let mut order = vec![self.of];
        order.extend(self.of.falls_back_to());
        let rest = Context::ALL.into_iter().filter(|context| !order.contains(context));
        let rest: Vec<Context> = rest.collect();
        order.extend(rest);
        order
    }
}

/// A text that may be longer than its box.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scroll {
    /// First visible line.
    pub top: usize,
}

/// The list of exports.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JobsDialog {
    /// The selected job, counted from the newest.
    pub cursor: usize,
    /// The job whose cancelling is to be confirmed.
    pub cancelling: Option<JobId>,
    /// The log that is shown instead of the list.
    pub log: Option<LogView>,
}

/// The log of an export on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogView {
    /// Whose log it is.
    pub job: JobId,
    /// First visible line; none follows the end.
    pub top: Option<usize>,
}

/// What a path leads to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Found {
    /// Nothing is there.
    #[default]
    Nothing,
    /// Something that could be replaced.
    File,
    /// A folder.
    Folder,
    /// A file of the model itself.
    Source,
}

/// What is known of a path that something is to be written to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    /// The path that was looked at.
    pub path: PathBuf,
    /// What is there.
    pub found: Found,
    /// Whether its folder is there.
    pub folder_exists: bool,
    /// Bytes that the file system has free.
    pub free: Option<u64>,
}

/// The question what a cell of the table of methods is to be applied to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApplyForm {
    /// The tensor whose table it is.
    pub tensor: usize,
    /// The format.
    pub format: Format,
    /// The method.
    pub method: Method,
}

/// A dialog that asks for a path: of the recipe, of the report, of the chart.
#[derive(Debug, Clone)]
pub struct SaveForm {
    /// The path.
    pub path: TextInput,
    /// The file that is there already, once that was found: Enter again replaces it.
    pub exists: Option<PathBuf>,
    /// Why it could not be written.
    pub problem: Option<String>,
}

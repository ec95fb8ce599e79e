//! The model's pages: what is known of the file and the plan besides its tensors, a page a question.
//!
//! What has to be read is asked for when its page is opened and kept from then on; what follows from the plan is made
//! anew when the plan changes.

pub mod arrays;
pub mod jinja;
pub mod laid;
pub mod metadata;
pub mod problems;
pub mod rules;
pub mod template;
pub mod tokenizer;

use std::sync::Arc;

use super::Session;
use super::geometry::Area;
use super::input::TextInput;
use crate::engine::imatrix::Imatrix;
use crate::engine::plan::breakdown::Breakdown;
use crate::engine::plan::{Plan, Winner};
use crate::engine::runtimes::{Used, Verdict, types_used, verdicts};

use metadata::MetadataPage;
use problems::ProblemsPage;
use rules::RecipePage;
use template::TemplatePage;
use tokenizer::TokenizerPage;

/// A page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Page {
    /// Architecture, sizes, where the bytes go.
    #[default]
    Overview,
    /// Every metadata entry.
    Metadata,
    /// The tokens.
    Tokenizer,
    /// The chat templates.
    Template,
    /// What is odd about file and plan.
    Problems,
    /// The rules.
    Recipe,
    /// Which runtimes take the output.
    Runtimes,
}

impl Page {
    /// Every page, in order.
    pub const ALL: [Self; 7] =
        [Self::Overview, Self::Metadata, Self::Tokenizer, Self::Template, Self::Problems, Self::Recipe, Self::Runtimes];

    /// Name on the screen.
    pub fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Metadata => "Metadata",
            Self::Tokenizer => "Tokenizer",
            Self::Template => "Chat template",
            Self::Problems => "Problems",
            Self::Recipe => "Recipe",
            Self::Runtimes => "Where it runs",
        }
    }

    /// Name where there is little room.
    pub fn short(self) -> &'static str {
        match self {
            Self::Template => "Template",
            Self::Runtimes => "Runs",
            other => other.title(),
        }
    }

    /// The page so many places further, around the end.
    #[must_use]
    pub fn step(self, by: usize) -> Self {
        let at = Self::ALL.iter().position(|p| *p == self).unwrap_or(0);
        Self::ALL[(at + by) % Self::ALL.len()]
    }
}

/// Something that is read in the background.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Remote<T> {
    /// Nobody asked yet.
    #[default]
    Unasked,
    /// It is being read.
    Asked,
    /// It is here.
    Here(T),
}

impl<T> Remote<T> {
    /// What was read, if it is here.
    pub fn here(&self) -> Option<&T> {
        match self {
            Self::Here(value) => Some(value),
            _ => None,
        }
    }

    /// Notes that it is asked for; whether that is new.
    pub fn ask(&mut self) -> bool {
        let new = matches!(self, Self::Unasked);
        if new {
            *self = Self::Asked;
        }
        new
    }
}

/// What is drawn of the plan, made once for each plan.
#[derive(Debug, Clone, Default)]
pub struct Derived {
    plan: Option<Arc<Plan>>,
    /// Tensors that previews had found something wrong with.
    odd: usize,
    /// Sums by role and by type.
    pub breakdown: Breakdown,
    /// Types of the output's matrices.
    pub used: Vec<Used>,
    /// What each backend makes of them.
    pub verdicts: Vec<Verdict>,
    /// Tensors that the mask decides on, and those among them that go ternary.
    pub mask: (u64, u64),
}

/// The pages of a session.
#[derive(Debug, Clone, Default)]
pub struct Pages {
    /// The open one.
    pub page: Page,
    /// First line of the overview.
    pub overview: usize,
    /// The metadata.
    pub metadata: MetadataPage,
    /// The tokenizer.
    pub tokenizer: TokenizerPage,
    /// The chat templates.
    pub template: TemplatePage,
    /// The problems.
    pub problems: ProblemsPage,
    /// The rules.
    pub recipe: RecipePage,
    /// The backend under the cursor.
    pub runtime: usize,
    /// What follows from the plan.
    pub derived: Derived,
}

impl Pages {
    /// The line that is typed into, if one is.
    pub fn line(&mut self) -> Option<&mut TextInput> {
        match self.page {
            Page::Metadata => self.metadata.line(),
            Page::Tokenizer if self.tokenizer.editing => Some(&mut self.tokenizer.search),
            Page::Recipe => self.recipe.line.as_mut().map(|line| &mut line.input),
            _ => None,
        }
    }

    /// Whether a spinner turns: what the page needs is being read.
    pub fn is_reading(&self) -> bool {
        match self.page {
            Page::Metadata => matches!(self.metadata.listing, Remote::Asked),
            Page::Tokenizer => matches!(self.tokenizer.vocabulary, Remote::Asked),
            Page::Template => matches!(self.template.templates, Remote::Asked),
            _ => false,
        }
    }

    /// Whether keys go into a line.
    pub fn is_typing(&self) -> bool {
        match self.page {
            Page::Metadata => self.metadata.editing,
            Page::Tokenizer => self.tokenizer.editing,
            Page::Recipe => self.recipe.line.is_some(),
            _ => false,
        }
    }
}

impl Session {
    /// Brings what pages show of the plan up to date.
    pub fn derive_pages(&mut self, imatrix: Option<&Imatrix>) {
        let plan = Arc::clone(self.plan.plan());
        let plan = &plan;
        let odd = self.previews.odd();
        if self.pages.derived.plan.as_ref().is_some_and(|p| Arc::ptr_eq(p, plan)) {
            if self.pages.derived.odd != odd {
                self.pages.derived.odd = odd;
                self.collect_problems();
            }
            return;
        }
        let used = types_used(&self.model, plan);
        let mask = plan.decisions.shared().iter().filter(|s| matches!(s.decision.winner, Winner::Mask(_)));
        let ternary = mask.clone().filter(|s| s.decision.is_ternary());
        self.pages.derived = Derived {
            breakdown: Breakdown::of(&self.model, plan),
            verdicts: verdicts(&used),
            used,
            mask: (mask.map(|s| s.tensors).sum(), ternary.map(|s| s.tensors).sum()),
            plan: Some(Arc::clone(plan)),
            odd,
        };
        self.pages.recipe.clamp(self.plan.recipe());
        if let Some(imatrix) = imatrix {
            self.note_imatrix(imatrix);
        }
        self.collect_problems();
    }

    /// What the row under the cursor says, as text for somebody who copies it: lines kept, control characters escaped.
    pub fn page_text(&self) -> Option<String> {
        let pages = &self.pages;
        match pages.page {
            Page::Overview => {
                let totals = self.plan.plan().totals;
                Some(format!(
                    "{}: {} → {}, {:.2} → {:.2} bpw",
                    crate::text::escape(&self.model.title()),
                    crate::text::bytes(totals.bytes),
                    crate::text::bytes(totals.new_bytes),
                    totals.bpw(),
                    totals.new_bpw()
                ))
            }
            Page::Metadata => pages.metadata.text(&self.model),
            Page::Tokenizer => pages.tokenizer.text(),
            Page::Template => pages.template.text(),
            Page::Problems => pages.problems.text(),
            Page::Recipe => pages.recipe.text(self.plan.recipe()),
            Page::Runtimes => {
                let verdict = pages.derived.verdicts.get(pages.runtime)?;
                Some(format!("{}: {}", verdict.backend.name(), verdict.words))
            }
        }
    }
}

/// Columns from which on a page has a second pane beside its list.
pub const WIDE: u16 = 110;

/// Where the parts of a page lie on a screen of this size: the list, and the pane beside or below it, both with their
/// borders. Update lays texts out for what the view will draw.
pub fn panes(page: Page, size: (u16, u16)) -> (Area, Area) {
    let body = Area { x: 0, y: 1, width: size.0, height: size.1.saturating_sub(5) };
    let none = Area { width: 0, height: 0, ..body };
    let beside = |left: u16| {
        let list = Area { width: left, ..body };
        (list, Area { x: left, width: body.width.saturating_sub(left), ..body })
    };
    let below = |rows: u16| {
        let rows = rows.min(body.height / 2);
        let list = Area { height: body.height - rows, ..body };
        (list, Area { y: list.y + list.height, height: rows, ..body })
    };
    let wide = size.0 >= WIDE;
    match page {
        Page::Overview | Page::Template => (body, none),
        Page::Metadata if wide => beside(size.0 / 2),
        Page::Tokenizer if wide => beside(size.0 - (size.0 * 2 / 5).min(70)),
        Page::Recipe if wide => beside(size.0 * 3 / 5),
        Page::Metadata | Page::Tokenizer => (body, none),
        Page::Problems => below(if size.1 >= 40 { 9 } else { 7 }),
        Page::Recipe => below(9),
        Page::Runtimes => below(6),
    }
}

/// Columns of text inside a pane, without border and air.
pub fn inner_columns(area: Area) -> usize {
    usize::from(area.width.saturating_sub(4))
}

/// Where a cursor among `len` lines is after a step; `None` where the action is none.
pub fn moved(cursor: usize, action: crate::tui::action::Action, len: usize, page: usize) -> Option<usize> {
    use crate::tui::action::Action;
    let to = match action {
        Action::Up => cursor.saturating_sub(1),
        Action::Down => cursor + 1,
        Action::PageUp => cursor.saturating_sub(page),
        Action::PageDown => cursor + page,
        Action::Top => 0,
        Action::Bottom => usize::MAX,
        _ => return None,
    };
    Some(to.min(len.saturating_sub(1)))
}

//! The chat template page: every template laid out with its pieces.

use std::ops::Range;

use super::jinja::{Kind, pieces};
use super::laid::Laid;
use super::{Page, Remote, inner_columns, panes};
use crate::engine::model::templates::Template;
use crate::jobs::questions::Question;

/// A template as it is shown.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Its name.
    pub title: String,
    /// Bytes in the file, where more than are shown.
    pub more: Option<u64>,
    /// Its text.
    pub laid: Laid,
    /// What is what in it.
    pub pieces: Vec<(Range<usize>, Kind)>,
}

/// The page.
#[derive(Debug, Clone, Default)]
pub struct TemplatePage {
    /// The templates, or why they cannot be read.
    pub templates: Remote<Result<Vec<Shown>, String>>,
    /// The one that is shown.
    pub chosen: usize,
    /// First visible line.
    pub top: usize,
}

impl TemplatePage {
    /// What has to be read; what is here is laid out for the screen.
    pub fn wants(&mut self, size: (u16, u16)) -> Vec<Question> {
        let columns = columns(size);
        if let Remote::Here(Ok(all)) = &mut self.templates
            && let Some(shown) = all.get_mut(self.chosen)
        {
            shown.laid.fit(columns);
        }
        if self.templates.ask() { vec![Question::Templates] } else { Vec::new() }
    }

    /// Takes the templates in.
    pub fn take(&mut self, templates: Result<Vec<Template>, String>, size: (u16, u16)) {
        let shown = |t: Template| {
            let laid = Laid::new(&t.text, columns(size));
            let pieces = pieces(laid.content());
            let title = crate::text::escape(t.title());
            Shown { title, more: t.is_cut().then_some(t.bytes), laid, pieces }
        };
        self.templates = Remote::Here(templates.map(|all| all.into_iter().map(shown).collect()));
    }

    /// The template that is shown.
    pub fn shown(&self) -> Option<&Shown> {
        self.templates.here()?.as_ref().ok()?.get(self.chosen)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.templates.here().and_then(|t| t.as_ref().ok()).map_or(0, Vec::len)
    }

    /// Shows the next or the previous one.
    pub fn step(&mut self, forward: bool) {
        let count = self.count().max(1);
        self.chosen = (self.chosen + if forward { 1 } else { count - 1 }) % count;
        self.top = 0;
    }

    /// The whole template.
    pub fn text(&self) -> Option<String> {
        self.shown().map(|shown| shown.laid.content().to_owned())
    }
}

/// Columns of a template's lines: what the page has, less the lines' numbers.
fn columns(size: (u16, u16)) -> usize {
    inner_columns(panes(Page::Template, size).0).saturating_sub(5)
}

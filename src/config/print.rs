//! The configuration as a file that would say it, each line with where its value comes from.

use super::{Config, Origin, Setting};
use crate::engine::ternary::kernels::Kernel;
use crate::tui::keymap::Context;
use crate::tui::state::columns::Shown;

impl Config {
    /// Every value that holds, as TOML; `threads` is how many there are where nothing says how many.
    pub fn print(&self, threads: usize) -> String {
        let mut out = String::from("# flag > environment > file > default\n");
        if let Some(path) = &self.path {
            let there = if path.exists() { "" } else { ", which is not there" };
            out += &format!("# the file: {}{there}\n", crate::text::escape(&path.display().to_string()));
        }
        let kernels: Vec<&str> = Kernel::available().into_iter().map(Kernel::name).collect();
        out += &format!("# kernel: {}, of {} (TRITSCOPE_KERNEL)\n", Kernel::current(), kernels.join(", "));
        out.push('\n');
        let mut line = |name: &str, value: String, origin: Origin| {
            out += &format!("{name} = {value} # {}\n", told(origin));
        };
        line("theme", quoted(self.theme.value.name()), self.theme.origin);
        line("mouse", self.mouse.value.to_string(), self.mouse.origin);
        line("ascii", self.ascii.value.to_string(), self.ascii.origin);
        line("restore", self.restore.value.to_string(), self.restore.origin);
        line("threads", self.threads.value.unwrap_or(threads).to_string(), self.threads.origin);
        let Setting { value, origin } = &self.columns;
        if let Some(columns) = value {
            line("columns", texts(columns.iter().map(|c| c.name())), *origin);
        } else {
            // There is no list that says the same: which there are goes by the width.
            let all = texts(Shown::ALL.iter().map(|c| c.name()));
            out += &format!("# columns = {all} # default: those that fit the width\n");
        }
        for context in Context::ALL {
            out += &format!("\n[keys.{}]\n", context.name());
            for (action, keys) in self.keymap.named(context) {
                let origin = self.bound.get(&(context, action)).map_or(Origin::Default, |line| Origin::File(*line));
                let keys = texts(keys.iter().map(String::as_str));
                out += &format!("{action} = {keys} # {}\n", told(origin));
            }
        }
        out
    }
}

fn told(origin: Origin) -> String {
    match origin {
        Origin::Default => "default".to_owned(),
        Origin::File(line) => format!("file, line {line}"),
        Origin::Environment(name) => name.to_owned(),
        Origin::Flag(flag) => flag.to_owned(),
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn texts<'a>(all: impl Iterator<Item = &'a str>) -> String {
    format!("[{}]", all.map(quoted).collect::<Vec<_>>().join(", "))
}

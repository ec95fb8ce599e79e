//! `recipe show`: flags and a recipe file as one recipe.

use std::io::Write;

use super::args::{RecipeCommand, RecipeSubcommand};
use super::output::print;
use crate::engine::error::{Error, Result};

pub(super) fn run(args: &RecipeCommand) -> Result<()> {
    let RecipeSubcommand::Show(show) = &args.command;
    let text = show.choice.recipe()?.to_toml()?;
    let Some(path) = &show.output else {
        return print(&text);
    };
    let mut file = std::fs::File::create_new(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::AlreadyExists => Error::Usage(format!("{} exists; choose another file", path.display())),
        _ => Error::io(path, "create", e),
    })?;
    file.write_all(text.as_bytes()).map_err(|e| Error::io(path, "write", e))
}

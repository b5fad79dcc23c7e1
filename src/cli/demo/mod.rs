//! `demo`: the procedural world, its scenes and what is made from them.

mod evaluate;
mod evaluate_clip;
mod fit;
mod train;
mod train_clip;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::CliResult;
use super::output::say;
use super::progress::progress_line;
use crate::demo::{Set, write};

/// Arguments of `demo`.
#[derive(Args)]
pub(super) struct DemoArgs {
    #[command(subcommand)]
    command: DemoCommand,
}

#[derive(Subcommand)]
enum DemoCommand {
    /// Draw scenes whose truth is known: pictures, masks, and a table of tags
    Scenes(ScenesArgs),
    /// Train the tagger of the embedded model from scratch, on scenes drawn as they are needed
    Train(train::TrainArgs),
    /// Train the embedded CLIP from scratch, on scenes and captions drawn as they are needed
    TrainClip(train_clip::TrainClipArgs),
    Fit(fit::FitSceneArgs),
    Evaluate(evaluate::EvaluateSceneArgs),
    /// Judge a CLIP by scenes it has not seen: nine classes named known, the other nine shown
    EvaluateClip(evaluate_clip::EvaluateClipArgs),
}

/// Runs the chosen part.
pub(super) fn run(args: DemoArgs) -> CliResult {
    match args.command {
        DemoCommand::Scenes(args) => args.run(),
        DemoCommand::Train(args) => args.run(),
        DemoCommand::TrainClip(args) => args.run(),
        DemoCommand::Fit(args) => args.run(),
        DemoCommand::Evaluate(args) => args.run(),
        DemoCommand::EvaluateClip(args) => args.run(),
    }
}

/// Arguments of `demo scenes`.
#[derive(Args)]
#[command(after_help = "\
Sets: id (objects the tagger knows), near (objects no tag names, drawn alike), context \
(backgrounds and clutter only), texture (patterns), style (known objects in unusual renderings).

The same set, seed and count give the same bytes on every machine.

Examples:
  tagood-lens demo scenes --set id --count 200 --seed 1 --out scenes
  tagood-lens demo scenes --set near --count 30 --sheet near.png")]
struct ScenesArgs {
    /// Which scenes: id, near, context, texture or style
    #[arg(long)]
    set: Set,
    /// How many
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    /// Where the random numbers start
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Folder for SET/KIND/NUMBER.png, masks/ and tags.csv (path,class,tags); sets may share it
    #[arg(long, value_name = "DIR", required_unless_present = "sheet")]
    out: Option<PathBuf>,
    /// In place of masks and tags.csv a caption beside each picture, NUMBER.txt, as
    /// `fit --method clipn --pairs` reads them
    #[arg(long, requires = "out")]
    captions: bool,
    /// Also lay the first scenes (at most 120) out on one contact sheet
    #[arg(long, value_name = "FILE.png", value_parser = crate::cli::paths::ending_in("png"))]
    sheet: Option<PathBuf>,
    /// No progress bar
    #[arg(long)]
    quiet: bool,
}

impl ScenesArgs {
    fn run(self) -> CliResult {
        if let Some(out) = &self.out {
            let (seed, count) = (self.seed, u64::from(self.count));
            let bar = progress_line(self.quiet, Some(count), "scenes");
            match self.captions {
                true => write::write_captioned(self.set, seed, count, out, || bar.inc(1))?,
                false => write::write_scenes(self.set, seed, count, out, || bar.inc(1))?,
            }
            bar.finish_and_clear();
            say!("{} {} scenes: {}", self.count, self.set, out.display())?;
        }
        if let Some(sheet) = &self.sheet {
            write::write_sheet(self.set, self.seed, self.count.min(120), sheet)?;
            say!("contact sheet: {}", sheet.display())?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

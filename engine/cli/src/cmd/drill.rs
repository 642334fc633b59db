//! `stanch drill`: a user is made to be thrown away, an alert is raised about its key, and what the
//! wiring does is told, hop by hop, with its time. Whatever happens, the user is taken away again.

mod stage;
mod story;

use std::process::ExitCode;

use anyhow::bail;
use stanch_engine_runtime::system;

use super::by_hand::{Caller, told};
use crate::args::{Common, Drill};
use crate::client::Client;
use crate::config::{Config, environment};
use stage::User;
use story::Story;

pub(super) async fn run(common: &Common, args: &Drill) -> anyhow::Result<ExitCode> {
    let config = Config::load(common.config.as_deref(), &environment)?;
    let aws = Caller::base(&config)?;
    let account = aws.account().await.map_err(|error| anyhow::anyhow!("{}", told(&error)))?;
    if account != args.account {
        bail!(
            "your AWS credentials are of {account}, and not of {}: a drill makes a user with them; take \
             those of that account (AWS_PROFILE)",
            args.account
        );
    }
    if args.clean {
        let gone = stage::clean(&aws).await?;
        match gone.is_empty() {
            true => println!("no drill left anything in {account}"),
            false => println!("taken away in {account}: {}", gone.join(", ")),
        }
        return Ok(ExitCode::SUCCESS);
    }
    let person = Client::of(common)?;
    let detector = story::detector(common, &config)?;
    let world = system::world();
    let mut story = Story::begin(&world, person, detector, args.yes);
    // From here on something may be there: it is taken away however this ends.
    let stop = super::serve::stop_signal();
    let user = User::name(&world);
    let told = tokio::select! {
        told = Box::pin(story.tell(&aws, &user, &account)) => told,
        () = stop => Err(anyhow::anyhow!("interrupted")),
    };
    let cleaned = user.take_away(&aws).await;
    match &cleaned {
        Ok(()) => story.hop("taken away", &user.name),
        Err(error) => eprintln!(
            "error: {} is still there: {error:#}. `stanch drill --account {account} --clean` takes it away",
            user.name
        ),
    }
    if let Err(error) = &told {
        eprintln!("error: {error:#}");
    }
    if told.is_err() || cleaned.is_err() {
        return Ok(ExitCode::FAILURE);
    }
    println!("\nThe drill went through. It was a sample: it stands in no KPI.");
    Ok(ExitCode::SUCCESS)
}

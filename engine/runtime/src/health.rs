//! Whether a node can work, and what is wrong if it can't.

use serde::Serialize;
use stanch_engine_store::{gauges, settings};

use crate::collecting::COLLECT;
use crate::playbooks;
use crate::runtime::Runtime;

/// How something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// All is well.
    Ok,
    /// The node works, and people should look at it.
    Warning,
    /// The node can't work.
    Wrong,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What: database, writer, migrations, evidence, playbooks, halt.
    pub name: &'static str,
    /// How it stands.
    pub standing: Standing,
    /// What is wrong with it, and what to do.
    pub detail: Option<String>,
}

impl Check {
    fn of(name: &'static str, found: Result<(), (Standing, String)>) -> Self {
        match found {
            Ok(()) => Self { name, standing: Standing::Ok, detail: None },
            Err((standing, detail)) => Self { name, standing, detail: Some(detail) },
        }
    }
}

/// Looks at everything that a node needs.
pub async fn look(runtime: &Runtime) -> Vec<Check> {
    let halt = runtime.store().read(|conn| Box::pin(settings::get(conn, settings::HALT))).await;
    let database = halt.as_ref().map(drop).map_err(|error| (Standing::Wrong, error.to_string()));
    let writer = match runtime.store().failing() {
        Some(why) => Err((Standing::Wrong, format!("the last write failed: {why}"))),
        None => Ok(()),
    };
    let halted = match halt {
        Ok(Some(_)) => Err((
            Standing::Warning,
            "the kill switch was thrown: nothing is changed until `stanch unhalt`".to_owned(),
        )),
        _ => Ok(()),
    };
    vec![
        Check::of("database", database),
        Check::of("writer", writer),
        Check::of("migrations", migrations(runtime).await),
        Check::of("evidence", evidence(runtime).await),
        Check::of("playbooks", published(runtime)),
        Check::of("halt", halted),
    ]
}

async fn migrations(runtime: &Runtime) -> Result<(), (Standing, String)> {
    let applied = runtime.store().read(|conn| Box::pin(gauges::schema(conn))).await;
    let applied = applied.map_err(|error| (Standing::Wrong, error.to_string()))?;
    let known = gauges::known_schema();
    if applied > known {
        let why = format!(
            "a newer version migrated the database to {applied}, and this one knows {known}: \
             update this node"
        );
        return Err((Standing::Warning, why));
    }
    if applied < known {
        let why = format!("the database is at migration {applied}, and this version needs {known}");
        return Err((Standing::Wrong, why));
    }
    Ok(())
}

/// Writes a byte to where evidence lies.
async fn evidence(runtime: &Runtime) -> Result<(), (Standing, String)> {
    let folder = runtime.settings().data_dir.join("evidence");
    let file = folder.join(format!(".ready-{}", runtime.node()));
    let written = tokio::task::spawn_blocking(move || {
        std::fs::write(&file, b"1").and_then(|()| std::fs::remove_file(&file))
    });
    match written.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => {
            Err((Standing::Wrong, format!("{} can't be written: {error}", folder.display())))
        }
        Err(error) => Err((Standing::Wrong, error.to_string())),
    }
}

fn published(runtime: &Runtime) -> Result<(), (Standing, String)> {
    let active = playbooks::active(runtime);
    // What collects by hand is published when somebody first asks, and answers no alert.
    let answers = |name: &str| playbooks::built_in(name).is_none() && name != COLLECT;
    if active.iter().any(|active| answers(&active.header.name)) {
        return Ok(());
    }
    let why = "no playbook is active: alerts are kept and start nothing, until \
               `stanch playbooks publish FILE`";
    Err((Standing::Warning, why.to_owned()))
}

//! KPIs: their definitions, figures over a window and by week, and the incidents behind a figure.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};
use stanch_engine_core::id::IncidentId;
use stanch_engine_core::kpi::{Dimension, Handling, definitions};
use stanch_engine_core::limits;
use stanch_engine_core::severity::Severity;
use stanch_engine_core::span::Span;
use stanch_engine_core::time::Timestamp;
use stanch_engine_runtime::kpis::{self, Filter, Question, QuestionError};

use crate::App;
use crate::auth::Known;
use crate::paging::{self, Params, parse};
use crate::problem::{Handled, Refusal};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    window: Option<String>,
    by: Option<String>,
    weeks: Option<u32>,
    state: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
    source: Option<String>,
    severity: Option<String>,
    account: Option<String>,
    playbook: Option<String>,
    person: Option<String>,
    handling: Option<String>,
}

struct Window(Span);

impl std::str::FromStr for Window {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let span = Span::parse(text).map_err(|error| error.to_string())?;
        if span > limits::KPI_WINDOW {
            return Err(format!("it takes at most {}", limits::KPI_WINDOW));
        }
        Ok(Self(span))
    }
}

/// The place after which a listing goes on: when an incident began, and its id.
struct Place(Timestamp, IncidentId);

impl std::str::FromStr for Place {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || format!("`{text}` is no cursor of this listing");
        let (at, id) = text.split_once('.').ok_or_else(bad)?;
        let at = at.parse().map_err(|_| bad())?;
        Ok(Self(Timestamp::from_micros(at), id.parse().map_err(|_| bad())?))
    }
}

impl From<QuestionError> for Refusal {
    fn from(error: QuestionError) -> Self {
        match error {
            QuestionError::TooMany => Self::bad_request(error.to_string()),
            QuestionError::Store(error) => error.into(),
        }
    }
}

impl Query {
    fn question(&self) -> Handled<Question> {
        let window = parse::<Window>("window", self.window.as_deref())?;
        let by = parse::<Dimension>("by", self.by.as_deref())?;
        // A word that there is none of would be answered with figures over nothing.
        parse::<Severity>("severity", self.severity.as_deref())?;
        parse::<Handling>("handling", self.handling.as_deref())?;
        let named = [
            (Dimension::Source, &self.source),
            (Dimension::Severity, &self.severity),
            (Dimension::Account, &self.account),
            (Dimension::Playbook, &self.playbook),
            (Dimension::Person, &self.person),
            (Dimension::Handling, &self.handling),
        ];
        let named = named.into_iter().filter_map(|(of, value)| Some((of, value.clone()?)));
        Ok(Question {
            window: window.map_or(Span::from_secs(30 * 24 * 60 * 60), |window| window.0),
            filter: Filter(named.collect()),
            by,
            facts: limits::KPI_FACTS,
        })
    }
}

/// What every KPI is and how it is computed.
pub(crate) async fn all(_caller: Known) -> Json<Value> {
    Json(json!({"items": definitions(), "next_cursor": null}))
}

pub(crate) async fn report(
    State(app): State<App>,
    _caller: Known,
    Params(query): Params<Query>,
) -> Handled<Json<Value>> {
    let question = query.question()?;
    let report = kpis::report(&app.runtime, &question).await?;
    let mut view = json!(report);
    link(&mut view, &question, None);
    let groups = view.get_mut("groups").and_then(Value::as_object_mut);
    if let (Some(by), Some(groups)) = (question.by, groups) {
        for (value, figures) in groups {
            link(figures, &question, Some((by, value)));
        }
    }
    Ok(Json(view))
}

/// Every figure says where the incidents are that it is made of.
fn link(figures: &mut Value, question: &Question, group: Option<(Dimension, &str)>) {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("window", &question.window.to_string());
    for (dimension, value) in &question.filter.0 {
        query.append_pair(dimension.as_str(), value);
    }
    if let Some((dimension, value)) = group.filter(|(dimension, _)| *dimension != Dimension::All) {
        query.append_pair(dimension.as_str(), value);
    }
    let query = query.finish();
    for kind in ["kpis", "shares"] {
        let all = figures.get_mut(kind).and_then(Value::as_array_mut);
        for figure in all.into_iter().flatten().filter_map(Value::as_object_mut) {
            let name = figure.get("name").and_then(Value::as_str).unwrap_or_default();
            let url = format!("/v1/kpis/{name}/incidents?{query}");
            figure.insert("incidents_url".to_owned(), json!(url));
        }
    }
}

/// The figures of each week.
pub(crate) async fn trend(
    State(app): State<App>,
    _caller: Known,
    Params(query): Params<Query>,
) -> Handled<Json<Value>> {
    let weeks = query.weeks.unwrap_or(12).clamp(1, limits::KPI_WEEKS);
    let items = kpis::trend(&app.runtime, weeks, &query.question()?).await?;
    Ok(Json(json!({"items": items, "next_cursor": null})))
}

/// The incidents that a figure is made of.
pub(crate) async fn incidents(
    State(app): State<App>,
    _caller: Known,
    Path(name): Path<String>,
    Params(query): Params<Query>,
) -> Handled<Json<Value>> {
    let all = definitions();
    let definition = all.iter().find(|definition| definition.name == name);
    let definition =
        definition.ok_or_else(|| Refusal::not_found(format!("there is no KPI `{name}`")))?;
    let place = parse::<Place>("cursor", query.cursor.as_deref())?;
    let before = place.map(|Place(at, id)| (at, id.to_string()));
    let (question, limit) = (query.question()?, paging::limit(query.limit));
    let (parts, next) = kpis::parts(&app.runtime, definition, &question, before, limit).await?;
    let is_asked = |view: &Value| {
        query.state.is_none() || view.get("state").and_then(Value::as_str) == query.state.as_deref()
    };
    let items: Vec<Value> = parts.iter().map(|part| json!(part)).filter(is_asked).collect();
    let next = next.map(|(at, id)| format!("{}.{id}", at.micros()));
    Ok(Json(json!({"items": items, "next_cursor": next})))
}

//! The comparison for people: tables for the terminal, a page, a table for a spreadsheet, scatter plots.

use std::fmt::Write as _;

use affetto_judge::agreement::MEASURES;
use affetto_judge::bootstrap::Estimate;
use affetto_judge::metrics::METRICS;
use affetto_judge::plot::{Scatter, ScatterPanel};

use super::arms::Part;
use super::report::{Line, Report};
use crate::bench::judges::EMBEDDING;

/// A table with its heading and what there is to say below it.
pub struct Table {
    /// Heading.
    pub title: String,
    /// Rows, the first with the names of the columns.
    pub rows: Vec<Vec<String>>,
    /// Below it.
    pub note: String,
}

/// The tables of a report. `reference` says what Fréchet distances are from.
pub fn tables(report: &Report, reference: &str) -> Vec<Table> {
    let mut tables = Vec::new();
    let titles = [
        (false, "Asked and heard, by judges that share nothing with the alignment target"),
        (true, "Asked and heard, on the aligned encoder (MusiCNN)"),
    ];
    for (aligned, title) in titles {
        let judged = |judge: usize| report.judges[judge].aligned == aligned;
        let lines: Vec<&Line> = report.lines.iter().filter(|l| judged(l.judge)).collect();
        if lines.is_empty() {
            continue;
        }
        let heading = [
            "CONDITION",
            "HEARS THE FEELING",
            "JUDGE",
            "ERROR V",
            "ERROR A",
            "DISTANCE",
            "r V",
            "r A",
            "CCC V",
            "CCC A",
            "R² V",
            "R² A",
            "V→A",
            "A→V",
            "PIECES",
        ];
        let rows = std::iter::once(heading.map(str::to_owned).to_vec()).chain(lines.iter().map(|l| row(report, l)));
        let note = "Errors: mean ± σ of |heard − asked|, and the distance in the plane. [low, high]: 95 % bootstrap. R²: \
                    coefficient of determination. V→A: r of asked valence and heard arousal; A→V the other way round.";
        tables.push(Table { title: title.into(), rows: rows.collect(), note: note.into() });
    }
    tables.extend(differences(report));
    if !report.distances.is_empty() {
        let heading = ["CONDITION", "HEARS THE FEELING", "DISTANCE", "EACH MODEL", "PIECES", "WINDOWS", ""];
        let rows = report.distances.iter().map(|d| {
            let each: Vec<String> = d.by_model.iter().map(|x| format!("{x:.3}")).collect();
            vec![
                d.arm.clone(),
                part(d.part),
                format!("{:.3}", d.distance),
                each.join(", "),
                d.pieces.to_string(),
                d.windows.to_string(),
                if d.lacks_rank { "too few windows for a full covariance" } else { "" }.into(),
            ]
        });
        tables.push(Table {
            title: "Fréchet distance of sound embeddings".into(),
            rows: std::iter::once(heading.map(str::to_owned).to_vec()).chain(rows).collect(),
            note: format!("Embedding: {EMBEDDING}. Reference: {reference}. They have no intervals: what the models give one by one \
                           says how far they spread. Distances grow as pieces become fewer: compare rows of like numbers; one below that of the reference's halves says nothing. The embedding is the \
                           encoder LARA aligns to."),
        });
    }
    let heading = ["CONDITION", "HEARS THE FEELING"].into_iter().chain(METRICS).map(str::to_uppercase);
    let rows = report.quality.iter().map(|q| {
        let means = q.means.iter().map(|m| interval(m, 2));
        [q.arm.clone(), part(q.part)].into_iter().chain(means).collect()
    });
    tables.push(Table {
        title: "Symbolic quality".into(),
        rows: std::iter::once(heading.collect()).chain(rows).collect(),
        note: "Means over the takes, as they are written.".into(),
    });
    tables.extend(quality_differences(report));
    tables
}

fn row(report: &Report, line: &Line) -> Vec<String> {
    let of = |name: &str| measure(&line.measures, name);
    let with_sd = |name: &str, sd: &str| format!("{:.2} ± {:.2}", of(name).value, of(sd).value);
    let pieces = match line.count {
        (1, pieces) => pieces.to_string(),
        (models, pieces) => format!("{models} × {pieces}"),
    };
    let plain = |name: &str| format!("{:.2}", of(name).value);
    vec![
        line.arm.clone(),
        part(line.part),
        report.judges[line.judge].name.to_owned(),
        with_sd("error_valence", "error_valence_sd"),
        with_sd("error_arousal", "error_arousal_sd"),
        with_sd("error_euclidean", "error_euclidean_sd"),
        interval(of("r_valence"), 2),
        interval(of("r_arousal"), 2),
        interval(of("ccc_valence"), 2),
        interval(of("ccc_arousal"), 2),
        plain("r2_valence"),
        plain("r2_arousal"),
        plain("asked_valence_heard_arousal_r"),
        plain("asked_arousal_heard_valence_r"),
        pieces,
    ]
}

fn differences(report: &Report) -> Option<Table> {
    let heading = ["DIFFERENCE", "HEARS THE FEELING", "JUDGE", "DISTANCE", "r V", "r A", "CCC V", "CCC A"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    for d in &report.differences {
        let Some(judge) = d.judge.map(|j| &report.judges[j]) else { continue };
        let name = if judge.aligned { format!("{} (aligned)", judge.name) } else { judge.name.to_owned() };
        let shown = ["error_euclidean", "r_valence", "r_arousal", "ccc_valence", "ccc_arousal"];
        let values = shown.map(|name| {
            let estimate = measure(&d.values, name);
            format!("{}{}", signed(estimate), if estimate.is_clear() { " *" } else { "" })
        });
        let arms = format!("{} − {}", d.arms.0, d.arms.1);
        rows.push([arms, part(Some(d.part)), name].into_iter().chain(values).collect());
    }
    let note = format!("{} A smaller distance and larger correlations are better.", paired(report));
    (rows.len() > 1).then(|| Table { title: "Differences".into(), rows, note })
}

fn quality_differences(report: &Report) -> Option<Table> {
    let heading = ["DIFFERENCE", "HEARS THE FEELING"].into_iter().chain(METRICS).map(str::to_uppercase);
    let mut rows = vec![heading.collect::<Vec<_>>()];
    for d in report.differences.iter().filter(|d| d.judge.is_none()) {
        let values = d.values.iter().map(|e| format!("{}{}", signed(e), if e.is_clear() { " *" } else { "" }));
        let arms = format!("{} − {}", d.arms.0, d.arms.1);
        rows.push([arms, part(Some(d.part))].into_iter().chain(values).collect());
    }
    let note = format!("{} None of them is better for being larger.", paired(report));
    (rows.len() > 1).then(|| Table { title: "Differences of symbolic quality".into(), rows, note })
}

/// How the takes of a difference belong together, and how far its interval goes.
fn paired(report: &Report) -> String {
    let models = |arm: &str| report.lines.iter().find(|l| l.arm == arm && l.part.is_some()).map_or(1, |l| l.count.0);
    let counts: Vec<_> = report.differences.iter().map(|d| (models(&d.arms.0), models(&d.arms.1))).collect();
    let seeds = if counts.iter().all(|c| *c == (1, 1)) {
        "one model each, so the intervals hold for these models and say nothing of other training seeds"
    } else if counts.iter().all(|(a, b)| a == b) {
        "training seeds paired in their order; with few of them, as three, the intervals are too narrow"
    } else {
        "training seeds paired in their order where both have as many, and drawn apart where not; with few of them, as \
         three, the intervals are too narrow"
    };
    format!("On the same targets and seeds; {seeds}. *: the 95 % interval leaves out 0.")
}

fn measure<'a>(values: &'a [Estimate], name: &str) -> &'a Estimate {
    let at = MEASURES.iter().position(|n| *n == name).expect("one of the measures");
    &values[at]
}

fn part(part: Option<Part>) -> String {
    part.map_or("–", Part::name).to_owned()
}

fn interval(e: &Estimate, digits: usize) -> String {
    format!("{:.digits$} [{:.digits$}, {:.digits$}]", e.value, e.low, e.high)
}

fn signed(e: &Estimate) -> String {
    format!("{:+.2} [{:+.2}, {:+.2}]", e.value, e.low, e.high)
}

/// The page: how it was done, the tables, the pictures.
pub fn page(tables: &[Table], notes: &[String], pictures: &[(String, String)]) -> String {
    let mut out = String::from("# Words only, plain fine-tuning, LARA, real music\n\n");
    for note in notes {
        let _ = writeln!(out, "- {}", marked(note));
    }
    for table in tables {
        let _ = writeln!(out, "\n## {}\n", marked(&table.title));
        for (i, row) in table.rows.iter().enumerate() {
            let cells: Vec<String> = row.iter().map(|cell| marked(cell)).collect();
            let _ = writeln!(out, "| {} |", cells.join(" | "));
            if i == 0 {
                let _ = writeln!(out, "|{}", "---|".repeat(row.len()));
            }
        }
        let _ = writeln!(out, "\n{}", marked(&table.note));
    }
    if !pictures.is_empty() {
        out.push_str("\n## Asked against heard\n\n");
        for (file, title) in pictures {
            let _ = writeln!(out, "![{}]({file})\n", marked(title));
        }
    }
    out
}

/// Text that Markdown leaves as it is.
fn marked(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if matches!(c, '|' | '*' | '_' | '<' | '`' | '[' | ']') {
            out.push('\\');
        }
        out.push(if c == '\n' { ' ' } else { c });
    }
    out
}

/// The comparison as a table for a spreadsheet: every measure with its interval for each condition and judge; behind them
/// the condition's symbolic quality, with intervals, and its Fréchet distance, the same for all judges, empty where there is
/// none.
pub fn csv(report: &Report) -> String {
    let mut out = String::from("condition,hears_the_feeling,judge,on_aligned_encoder,models,pieces");
    for name in MEASURES.into_iter().chain(METRICS) {
        let name = name.replace([' ', '-'], "_");
        let _ = write!(out, ",{name},{name}_low,{name}_high");
    }
    out.push_str(",frechet\n");
    for line in &report.lines {
        let judge = &report.judges[line.judge];
        let (models, pieces) = line.count;
        let _ = write!(out, "{},{},{},{},{models},{pieces}", line.arm, part(line.part), judge.name, judge.aligned);
        let quality = report.quality.iter().find(|q| q.arm == line.arm && q.part == line.part);
        for m in line.measures.iter().map(Some).chain((0..METRICS.len()).map(|i| quality.map(|q| &q.means[i]))) {
            let _ = match m {
                Some(m) => write!(out, ",{:.6},{:.6},{:.6}", m.value, m.low, m.high),
                None => write!(out, ",,,"),
            };
        }
        let distance = report.distances.iter().find(|d| d.arm == line.arm && d.part == line.part);
        let _ = writeln!(out, ",{}", distance.map_or_else(String::new, |d| format!("{:.6}", d.distance)));
    }
    out
}

/// The scatter plots: file name, title and SVG of each line.
pub fn pictures(report: &Report) -> Vec<(String, String, String)> {
    report.lines.iter().map(|line| picture(report, line)).collect()
}

fn picture(report: &Report, line: &Line) -> (String, String, String) {
    let judge = &report.judges[line.judge];
    let hearing = line.part.map(|p| format!(", {}", p.name())).unwrap_or_default();
    let encoder = if judge.aligned { " (on the aligned encoder)" } else { "" };
    let title = format!("{}{hearing}: judge {}{encoder}", line.arm, judge.name);
    let panel = |label: &str, points: Vec<(f64, f64)>| {
        let of = |name: &str| measure(&line.measures, &format!("{name}_{label}")).value;
        let numbers = format!("r {:.2}, CCC {:.2}, error {:.2}", of("r"), of("ccc"), of("error"));
        ScatterPanel { label: label.into(), numbers, points }
    };
    let panels = vec![
        panel("valence", line.pieces.iter().map(|p| (p.asked.valence, p.heard.valence)).collect()),
        panel("arousal", line.pieces.iter().map(|p| (p.asked.arousal, p.heard.arousal)).collect()),
    ];
    let name = [&line.arm, &part(line.part), judge.name].join("-");
    let slug: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let file = format!("scatter-{}.svg", slug.split('-').filter(|p| !p.is_empty()).collect::<Vec<_>>().join("-"));
    (file, title.clone(), Scatter { title, panels }.svg())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_markdown_that_holds_its_cells() {
        let table = Table {
            title: "T".into(),
            rows: vec![vec!["A".into(), "B".into()], vec!["x|y".into(), "0.5 [0.1, 0.9] *".into()]],
            note: "n".into(),
        };
        let page = page(&[table], &["by <us>".into()], &[("a.svg".into(), "A".into())]);
        assert!(page.contains("| x\\|y | 0.5 \\[0.1, 0.9\\] \\* |"), "{page}");
        assert!(page.contains("|---|---|") && page.contains("![A](a.svg)") && page.contains("- by \\<us>"), "{page}");
    }
}

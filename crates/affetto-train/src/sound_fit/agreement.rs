//! How well answers agree with labels.

use std::fmt;

use affetto_judge::stats;

use crate::labelled::{LabelledCorpus, LabelledPiece};

/// A piece with the valence and arousal heard in it.
pub(super) type Answer<'a> = (&'a LabelledPiece, (f64, f64));

/// Correlations of answers with labels: whole renderings of one corpus.
#[derive(Clone, Debug)]
pub struct SoundAgreement {
    /// Which model on which pieces.
    pub what: String,
    /// The corpus.
    pub corpus: LabelledCorpus,
    /// How many renderings.
    pub renderings: usize,
    /// Heard with labelled: valence, arousal.
    pub r: (f64, f64),
    /// Heard valence with labelled arousal; heard arousal with labelled valence.
    pub cross: (f64, f64),
    /// Area under the ROC curve: valence, arousal (label above the median).
    pub auc: (f64, f64),
}

impl SoundAgreement {
    /// The heading of a table of agreements.
    pub const HEADING: &str =
        "fit                                corpus  renderings  r valence  arousal   v<-a   a<-v  AUC v  AUC a";

    /// Of pieces with what was heard in them.
    pub(super) fn of(what: String, corpus: LabelledCorpus, heard: &[Answer]) -> SoundAgreement {
        let column = |get: &dyn Fn(&Answer) -> f64| heard.iter().map(get).collect::<Vec<f64>>();
        let (valence, arousal) = (column(&|h| h.1.0), column(&|h| h.1.1));
        let (labelled_valence, labelled_arousal) = (column(&|h| h.0.valence), column(&|h| h.0.arousal));
        let auc = |x: &[f64], y: &[f64]| {
            let middle = if corpus == LabelledCorpus::Emopia { 0.0 } else { stats::median(y) };
            stats::auc(x, &y.iter().map(|&v| v > middle).collect::<Vec<_>>())
        };
        SoundAgreement {
            what,
            corpus,
            renderings: heard.len(),
            r: (stats::pearson(&valence, &labelled_valence), stats::pearson(&arousal, &labelled_arousal)),
            cross: (stats::pearson(&valence, &labelled_arousal), stats::pearson(&arousal, &labelled_valence)),
            auc: (auc(&valence, &labelled_valence), auc(&arousal, &labelled_arousal)),
        }
    }
}

impl fmt::Display for SoundAgreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<34} {:<7} {:>10}  {:>9.3}  {:>7.3}  {:>5.2}  {:>5.2}  {:>5.3}  {:>5.3}",
            self.what,
            self.corpus.name(),
            self.renderings,
            self.r.0,
            self.r.1,
            self.cross.0,
            self.cross.1,
            self.auc.0,
            self.auc.1
        )
    }
}

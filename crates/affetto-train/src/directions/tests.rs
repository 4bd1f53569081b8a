//! The configuration that ships, and labels of windows.

use affetto_control::steering::LabelKind;

use super::*;
use crate::corpora::Corpus;

fn shipped() -> DirectionsConfig {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/directions.toml");
    DirectionsConfig::read(&path).unwrap()
}

#[test]
fn the_shipped_configuration_names_what_the_model_shall_have() {
    let config = shipped();
    let named = |label: &Label| config.directions.iter().find(|r| r.label == *label);
    for attribute in ["density", "register", "articulation", "strings", "brass", "woodwinds", "organ"] {
        assert!(named(&Label::Attribute(attribute.into())).is_some(), "{attribute}");
    }
    for label in [Label::Valence, Label::Mode] {
        let recipe = named(&label).unwrap();
        assert!(recipe.keyed, "{label:?} depends on the key");
        assert_eq!(recipe.frees, [Freed::Mode], "told the mode, the model resists");
    }
    assert!(named(&Label::Valence).unwrap().relatives && !named(&Label::Mode).unwrap().relatives);
    assert_eq!(config.directions.iter().filter(|r| matches!(r.label, Label::Style(_))).count(), 3);
    let timbre = named(&Label::Attribute("strings".into())).unwrap();
    assert_eq!(timbre.frees, [Freed::Instruments]);
}

#[test]
fn labels_are_known_by_name_and_others_refused() {
    assert_eq!(Label::try_from("folk".to_owned()), Ok(Label::Style(Corpus::Folk)));
    assert_eq!(Label::try_from("register".to_owned()), Ok(Label::Attribute("register".into())));
    let error = Label::try_from("wit".to_owned()).unwrap_err();
    assert!(error.contains("\"wit\"") && error.contains("articulation") && error.contains("chorales"), "{error}");
    assert!(Label::Valence.is_research() && !Label::Mode.is_research());
    assert_eq!(Label::Mode.kind(), LabelKind::Classes);
}

//! Model folders: every layout opens, and what is wrong with one is said in a line.

use std::collections::HashMap;
use std::path::Path;

use affetto_models::ModelFolder;
use affetto_models::folder::{Cache, Layout};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, serialize};

/// A safetensors file with one f32 tensor per name, each of `[2, 3]`, filled with `value`.
fn shard(names: &[&str], value: f32) -> Vec<u8> {
    let data: Vec<u8> = [value; 6].iter().flat_map(|x| x.to_le_bytes()).collect();
    let view = || TensorView::new(Dtype::F32, vec![2, 3], &data).unwrap();
    serialize(names.iter().map(|name| (*name, view())), None::<HashMap<String, String>>).unwrap()
}

const CONFIG: &str = r#"{"model_type": "musicgen"}"#;

fn write(folder: &Path, file: &str, bytes: impl AsRef<[u8]>) {
    let path = folder.join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn single(folder: &Path) {
    write(folder, "config.json", CONFIG);
    write(folder, "model.safetensors", shard(&["a"], 1.0));
}

fn sharded(folder: &Path) {
    write(folder, "config.json", CONFIG);
    write(folder, "model-1.safetensors", shard(&["a", "b"], 1.0));
    write(folder, "model-2.safetensors", shard(&["c"], 2.0));
    let index =
        r#"{"weight_map": {"a": "model-1.safetensors", "b": "model-1.safetensors", "c": "model-2.safetensors"}}"#;
    write(folder, "model.safetensors.index.json", index);
}

fn refusal(folder: &Path) -> String {
    let message = ModelFolder::open(folder).unwrap_err().to_string();
    assert!(!message.contains('\n'), "{message}");
    message
}

#[test]
fn single_and_sharded_folders_open() {
    let at = tempfile::tempdir().unwrap();
    single(at.path());
    let model = ModelFolder::open(at.path()).unwrap();
    assert_eq!((model.layout(), model.model_type()), (Layout::Single, "musicgen"));
    assert_eq!(model.checkpoint().tensor_f32("a", &[2, 3]).unwrap(), [1.0; 6]);
    assert_eq!(model.bytes(), shard(&["a"], 1.0).len() as u64);
    assert!(model.licence().to_string().starts_with("unknown: the folder names none; Meta's published"));
    assert_eq!(model.tokenizer_folder(), at.path());
    let by_file = ModelFolder::open(at.path().join("model.safetensors")).unwrap();
    assert_eq!(by_file.name(), model.name());

    let at = tempfile::tempdir().unwrap();
    sharded(at.path());
    write(at.path(), "README.md", "---\nlicense: cc-by-nc-4.0\n---\n");
    let model = ModelFolder::open(at.path()).unwrap();
    assert_eq!(model.layout(), Layout::Sharded);
    assert_eq!(model.checkpoint().names(), ["a", "b", "c"]);
    assert_eq!(model.checkpoint().tensor_f32("c", &[2, 3]).unwrap(), [2.0; 6]);
    assert_eq!(model.licence().name(), Some("CC-BY-NC-4.0"));
}

#[test]
fn a_cache_is_searched_by_id() {
    let at = tempfile::tempdir().unwrap();
    let cache = Cache::at(at.path());
    let repository = at.path().join("models--facebook--musicgen-small");
    single(&repository.join("snapshots/0123abc"));
    write(&repository, "refs/main", "0123abc");
    for name in ["facebook/musicgen-small", "facebook/musicgen-small@0123abc"] {
        let model = ModelFolder::open_in(&cache, name).unwrap();
        assert_eq!(model.name(), "facebook/musicgen-small");
        assert!(model.licence().is_noncommercial());
        assert_eq!(
            model.licence().to_string(),
            "CC-BY-NC-4.0, not for commercial use (as facebook/musicgen-small is published)"
        );
    }
    for path in [repository.clone(), repository.join("snapshots/0123abc")] {
        assert_eq!(ModelFolder::open_in(&cache, path).unwrap().name(), "facebook/musicgen-small");
    }
    let message = ModelFolder::open_in(&cache, "facebook/musicgen-huge").unwrap_err().to_string();
    assert!(
        message.contains("models--facebook--musicgen-huge") && message.contains("models pull facebook/musicgen-huge")
    );
    let message = ModelFolder::open_in(&cache, "facebook/musicgen-small@v9").unwrap_err().to_string();
    assert!(message.contains("revision `v9`"), "{message}");
    let message = ModelFolder::open_in(&cache, "no/such/folder").unwrap_err().to_string();
    assert!(message.contains("no such folder"), "{message}");
}

#[test]
fn a_reference_cannot_lead_out_of_the_cache() {
    let at = tempfile::tempdir().unwrap();
    single(&at.path().join("elsewhere"));
    let repository = at.path().join("models--a--b");
    std::fs::create_dir_all(repository.join("snapshots")).unwrap();
    write(&repository, "refs/main", "../../elsewhere");
    assert!(ModelFolder::open_in(&Cache::at(at.path()), "a/b").is_err());
}

#[test]
fn what_is_wrong_is_said_in_a_line() {
    let at = tempfile::tempdir().unwrap();
    assert!(refusal(at.path()).contains("no model in it"));

    single(at.path());
    std::fs::remove_file(at.path().join("config.json")).unwrap();
    assert!(refusal(at.path()).contains("config.json: no such file"));
    write(at.path(), "config.json", "{");
    assert!(refusal(at.path()).contains("config.json: not JSON"));
    write(at.path(), "config.json", "[]");
    assert!(refusal(at.path()).contains("not a JSON object"));
    write(at.path(), "config.json", CONFIG);

    let whole = shard(&["a"], 1.0);
    for cut in [whole.len() - 1, whole.len() - 24, 40, 9, 3, 0] {
        write(at.path(), "model.safetensors", &whole[..cut]);
        let message = refusal(at.path());
        assert!(message.contains("model.safetensors") && message.contains("cut short"), "{message}");
    }
    write(at.path(), "model.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n");
    assert!(refusal(at.path()).contains("git lfs pull"));
    write(at.path(), "model.safetensors", [0xff; 64]);
    assert!(refusal(at.path()).contains("its header claims"));
}

#[test]
fn what_is_wrong_with_shards_is_said_in_a_line() {
    let at = tempfile::tempdir().unwrap();
    sharded(at.path());
    let second = at.path().join("model-2.safetensors");
    let whole = std::fs::read(&second).unwrap();
    std::fs::remove_file(&second).unwrap();
    assert!(refusal(at.path()).contains("shard model-2.safetensors is missing"));
    std::fs::remove_file(at.path().join("model-1.safetensors")).unwrap();
    assert!(refusal(at.path()).contains("2 of 2 shards are missing"));
    sharded(at.path());
    write(at.path(), "model-2.safetensors", &whole[..whole.len() - 5]);
    let message = refusal(at.path());
    assert!(message.contains("model-2.safetensors: cut short: 91 bytes") || message.contains("cut short"), "{message}");
    write(at.path(), "model-2.safetensors", shard(&["d"], 0.0));
    assert!(refusal(at.path()).contains("tensor `c` is not in it"));
    write(at.path(), "model-2.safetensors", shard(&["a", "c"], 0.0));
    assert!(refusal(at.path()).contains("tensor `a` is in both"));
    for index in [r#"{"weight_map": {"a": "../model-1.safetensors"}}"#, r#"{"weight_map": {"a": 7}}"#] {
        write(at.path(), "model.safetensors.index.json", index);
        assert!(refusal(at.path()).contains("the name of a file beside the index"));
    }
    write(at.path(), "model.safetensors.index.json", r#"{"weight_map": {}}"#);
    assert!(refusal(at.path()).contains("no `weight_map`"));
}

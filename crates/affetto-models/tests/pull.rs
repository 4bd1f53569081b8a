//! `folder::pull` against a hub on this machine: what is fetched, resumed, checked and refused.
#![cfg(feature = "pull")]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use affetto_models::ModelFolder;
use affetto_models::folder::pull::Hub;
use affetto_models::folder::{Cache, Layout, ModelId};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

#[derive(Default)]
struct State {
    /// Files of the repository; large ones are kept in the store.
    files: HashMap<String, Vec<u8>>,
    /// What the store gives in place of a file.
    spoiled: HashMap<String, Vec<u8>>,
    /// Bytes after which the store hangs up, once.
    cut: Option<usize>,
    /// Whether the store knows ranges.
    no_ranges: bool,
    /// Whether the list says sizes and sums.
    bare_list: bool,
    /// A status for everything.
    status: Option<u16>,
    /// The ETag of small files.
    etag: Option<String>,
    /// `hub` or `store`, the path, the range and the token of each request.
    log: Vec<String>,
}

/// A hub and, on another port, the store of large files it leads to.
struct Server {
    hub: String,
    state: Arc<Mutex<State>>,
}

fn sum(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

fn is_large(name: &str) -> bool {
    name.ends_with(".safetensors") || name.ends_with(".bin")
}

impl Server {
    fn start(files: &[(&str, Vec<u8>)]) -> Self {
        let state =
            State { files: files.iter().map(|(n, b)| (n.to_string(), b.clone())).collect(), ..State::default() };
        let state = Arc::new(Mutex::new(state));
        let [hub, store] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let store_url = format!("http://{}", store.local_addr().unwrap());
        let url = format!("http://{}", hub.local_addr().unwrap());
        for (place, listener) in [("hub", hub), ("store", store)] {
            let (state, store_url) = (state.clone(), store_url.clone());
            std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    // A client that hangs up is no concern of the server's.
                    let _ = answer(place, stream, &state, &store_url);
                }
            });
        }
        Server { hub: url, state }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.state().log)
    }

    fn pull(&self, cache: &Path, id: &str) -> Result<std::path::PathBuf, String> {
        self.pull_with(cache, id, None)
    }

    fn pull_with(&self, cache: &Path, id: &str, token: Option<&str>) -> Result<std::path::PathBuf, String> {
        let hub = Hub::new(&self.hub, token, Cache::at(cache)).unwrap();
        let mut last = 0;
        let pulled = hub.pull(&ModelId::parse(id).unwrap(), &mut |progress| last = progress.done);
        let pulled = pulled.map_err(|e| e.to_string());
        match &pulled {
            Ok(_) => assert!(last > 0),
            Err(message) => assert!(!message.contains('\n'), "{message}"),
        }
        pulled
    }
}

fn answer(place: &str, mut stream: TcpStream, state: &Mutex<State>, store: &str) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let path = lines.next().transpose()?.unwrap_or_default().split(' ').nth(1).unwrap_or_default().to_owned();
    let (mut from, mut token) = (None, String::new());
    for line in lines {
        let line = line?;
        let Some((key, value)) = line.split_once(": ") else { break };
        match key.to_ascii_lowercase().as_str() {
            "range" => from = value.trim_start_matches("bytes=").trim_end_matches('-').parse::<usize>().ok(),
            "authorization" => token = value.to_owned(),
            _ => {}
        }
    }
    let mut state = state.lock().unwrap();
    state.log.push(format!("{place} {path} {from:?} {token}"));
    let mut send = |status: &str, headers: &str, body: &[u8], most: usize| {
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(head.as_bytes())?;
        stream.write_all(&body[..most.min(length)])?;
        stream.flush()
    };
    if let Some(status) = state.status {
        return send(&format!("{status} No"), "", b"refused", usize::MAX);
    }
    if let Some(rest) = path.strip_prefix("/api/models/org/model/revision/") {
        let revision = rest.split('?').next().unwrap_or_default();
        if !["main", "refs%2Fpr%2F3", COMMIT].contains(&revision) {
            return send("404 Not Found", "", b"{}", usize::MAX);
        }
        let entry = |(name, bytes): (&String, &Vec<u8>)| match (state.bare_list, is_large(name)) {
            (true, _) => json!({"rfilename": name}),
            (_, true) => json!({"rfilename": name, "size": bytes.len(),
                "lfs": {"sha256": sum(bytes), "size": bytes.len(), "pointerSize": 134}}),
            _ => json!({"rfilename": name, "size": bytes.len(), "blobId": "x"}),
        };
        let siblings: Vec<Value> = state.files.iter().map(entry).collect();
        let list = json!({"sha": COMMIT, "siblings": siblings}).to_string();
        return send("200 OK", "", list.as_bytes(), usize::MAX);
    }
    let name = path.rsplit('/').next().unwrap_or_default().to_owned();
    let Some(bytes) = state.files.get(&name).cloned() else {
        return send("404 Not Found", "", b"", usize::MAX);
    };
    if place == "hub" && is_large(&name) {
        let (tag, size) = (sum(&bytes), bytes.len());
        let headers = format!("X-Linked-Etag: \"{tag}\"\r\nX-Linked-Size: {size}\r\nLocation: {store}/{name}\r\n");
        return send("302 Found", &headers, b"over there", usize::MAX);
    }
    let bytes = state.spoiled.get(&name).cloned().unwrap_or(bytes);
    let tag = state.etag.clone().unwrap_or_else(|| format!("W/\"{}\"", &sum(&bytes)[..40]));
    let most = if place == "store" { state.cut.take().unwrap_or(usize::MAX) } else { usize::MAX };
    match from.filter(|_| !state.no_ranges) {
        Some(from) if from >= bytes.len() => send("416 Range Not Satisfiable", "", b"", usize::MAX),
        Some(from) => {
            let range = format!("Content-Range: bytes {from}-{}/{}\r\n", bytes.len() - 1, bytes.len());
            send("206 Partial Content", &range, &bytes[from..], most)
        }
        None => send("200 OK", &format!("ETag: {tag}\r\n"), &bytes, most),
    }
}

fn weights(names: &[&str]) -> Vec<u8> {
    let data = vec![7; 4 * 30_000];
    let view = || TensorView::new(Dtype::F32, vec![30_000], &data).unwrap();
    serialize(names.iter().map(|name| (*name, view())), None).unwrap()
}

fn small() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("config.json", br#"{"model_type": "musicgen"}"#.to_vec()),
        ("README.md", b"---\nlicense: cc-by-nc-4.0\n---\n".to_vec()),
        ("tokenizer.json", b"{}".to_vec()),
        ("notes.txt", b"not wanted".to_vec()),
    ]
}

fn single() -> Vec<(&'static str, Vec<u8>)> {
    let mut files = small();
    files.push(("model.safetensors", weights(&["a"])));
    files.push(("pytorch_model.bin", vec![1; 100]));
    files.push(("state_dict.bin", vec![1; 100]));
    files.push(("compression_state_dict.bin", vec![1; 100]));
    files
}

fn blobs(cache: &Path) -> Vec<(String, u64)> {
    let entries = std::fs::read_dir(cache.join("models--org--model/blobs")).unwrap().flatten();
    entries.map(|e| (e.file_name().to_string_lossy().into_owned(), e.metadata().unwrap().len())).collect()
}

#[test]
fn a_model_comes_into_the_cache_and_opens() {
    let server = Server::start(&single());
    let at = tempfile::tempdir().unwrap();
    let folder = server.pull_with(at.path(), "org/model", Some("hf_secret")).unwrap();
    assert_eq!(folder, at.path().join("models--org--model/snapshots").join(COMMIT));
    let mut names: Vec<_> = std::fs::read_dir(&folder).unwrap().flatten().map(|e| e.file_name()).collect();
    names.sort();
    assert_eq!(names, ["README.md", "config.json", "model.safetensors", "tokenizer.json"]);
    let model = ModelFolder::open_in(&Cache::at(at.path()), "org/model").unwrap();
    assert_eq!((model.layout(), model.licence().name()), (Layout::Single, Some("CC-BY-NC-4.0")));
    assert_eq!(model.checkpoint().tensor_f32("a", &[30_000]).unwrap().len(), 30_000);
    let whole = weights(&["a"]);
    assert!(blobs(at.path()).contains(&(sum(&whole), whole.len() as u64)));
    #[cfg(unix)]
    assert!(std::fs::read_link(folder.join("config.json")).unwrap().starts_with("../../blobs"));
    let log = server.log();
    assert!(log.iter().all(|line| line.starts_with("hub ") == line.ends_with("Bearer hf_secret")), "{log:?}");
    assert_eq!(log.iter().filter(|line| line.starts_with("store ")).count(), 1);

    // All there: the list is asked for, nothing else.
    server.pull(at.path(), "org/model").unwrap();
    assert_eq!(server.log(), ["hub /api/models/org/model/revision/main?blobs=true None "]);
    // Other revisions of the same commit share its snapshot.
    server.pull(at.path(), "org/model@refs/pr/3").unwrap();
    assert_eq!(server.log(), ["hub /api/models/org/model/revision/refs%2Fpr%2F3?blobs=true None "]);
    ModelFolder::open_in(&Cache::at(at.path()), "org/model@refs/pr/3").unwrap();
    server.pull(at.path(), &format!("org/model@{COMMIT}")).unwrap();
}

#[test]
fn shards_and_audiocrafts_files_are_fetched_where_there_is_nothing_else() {
    let mut files = small();
    let map = json!({"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}});
    files.push(("model.safetensors.index.json", map.to_string().into_bytes()));
    files.push(("model-1.safetensors", weights(&["a"])));
    files.push(("model-2.safetensors", weights(&["b"])));
    files.push(("model-3.safetensors", weights(&["c"])));
    let server = Server::start(&files);
    let at = tempfile::tempdir().unwrap();
    let folder = server.pull(at.path(), "org/model").unwrap();
    let model = ModelFolder::open_in(&Cache::at(at.path()), "org/model").unwrap();
    assert_eq!((model.layout(), model.checkpoint().names()), (Layout::Sharded, vec!["a", "b"]));
    assert!(!folder.join("model-3.safetensors").exists());
    for outside in ["../../x.safetensors", "model-9.safetensors"] {
        let index = json!({"weight_map": {"a": outside}}).to_string().into_bytes();
        server.state().files.insert("model.safetensors.index.json".into(), index);
        let message = server.pull(tempfile::tempdir().unwrap().path(), "org/model").unwrap_err();
        assert!(message.contains("which the repository does not have"), "{message}");
    }

    let files = [("state_dict.bin", vec![1; 9]), ("compression_state_dict.bin", vec![2; 9]), ("x.bin", vec![3; 9])];
    let folder = Server::start(&files).pull(tempfile::tempdir().unwrap().path(), "org/model").unwrap();
    assert!(folder.ends_with(COMMIT));
    let message = Server::start(&files[..1]).pull(at.path(), "org/model").unwrap_err();
    assert!(message.contains("no weights that can be read") && message.contains("[state_dict.bin]"), "{message}");
}

#[test]
fn what_was_cut_off_goes_on_where_it_stopped() {
    for (no_ranges, bare_list) in [(false, false), (true, false), (false, true)] {
        let server = Server::start(&single());
        let at = tempfile::tempdir().unwrap();
        (server.state().no_ranges, server.state().bare_list) = (no_ranges, bare_list);
        let whole = weights(&["a"]);
        server.state().cut = Some(whole.len() / 2);
        let message = server.pull(at.path(), "org/model").unwrap_err();
        let told = format!("org/model/model.safetensors: cut off after {} of {} bytes", whole.len() / 2, whole.len());
        assert!(message.starts_with(&told) && message.contains("to go on from there"), "{message}");
        let partial = (format!("{}.incomplete", sum(&whole)), whole.len() as u64 / 2);
        assert!(blobs(at.path()).contains(&partial), "{:?}", blobs(at.path()));
        assert!(ModelFolder::open_in(&Cache::at(at.path()), "org/model").is_err());
        server.log();

        let folder = server.pull(at.path(), "org/model").unwrap();
        let log = server.log();
        let ranged = format!("store /model.safetensors Some({}) ", whole.len() / 2);
        assert!(log.contains(&ranged), "{log:?}");
        assert_eq!(std::fs::read(folder.join("model.safetensors")).unwrap(), whole);
        assert!(blobs(at.path()).iter().all(|(name, _)| !name.ends_with(".incomplete")));
    }
}

#[test]
fn a_whole_download_that_was_not_named_is_only_checked() {
    let server = Server::start(&single());
    let at = tempfile::tempdir().unwrap();
    let whole = weights(&["a"]);
    let folder = at.path().join("models--org--model/blobs");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(format!("{}.incomplete", sum(&whole))), &whole).unwrap();
    server.pull(at.path(), "org/model").unwrap();
    assert!(server.log().contains(&format!("store /model.safetensors Some({}) ", whole.len())));
}

#[test]
fn a_wrong_checksum_is_refused_and_nothing_is_kept() {
    let server = Server::start(&single());
    let at = tempfile::tempdir().unwrap();
    let whole = weights(&["a"]);
    let mut spoiled = whole.clone();
    *spoiled.last_mut().unwrap() ^= 1;
    server.state().spoiled.insert("model.safetensors".into(), spoiled.clone());
    let message = server.pull(at.path(), "org/model").unwrap_err();
    for part in ["org/model/model.safetensors: wrong checksum", &sum(&spoiled), &sum(&whole)] {
        assert!(message.contains(part), "{message}");
    }
    assert!(blobs(at.path()).iter().all(|(name, _)| !name.starts_with(&sum(&whole))), "{:?}", blobs(at.path()));
    // The same for a beginning that was spoiled on this disk.
    server.state().spoiled.clear();
    let partial = at.path().join("models--org--model/blobs").join(format!("{}.incomplete", sum(&whole)));
    std::fs::write(&partial, vec![9; 1000]).unwrap();
    assert!(server.pull(at.path(), "org/model").unwrap_err().contains("wrong checksum"));
    assert!(!partial.exists());
    server.pull(at.path(), "org/model").unwrap();
}

#[test]
fn refusals_say_what_to_do() {
    let server = Server::start(&single());
    let at = tempfile::tempdir().unwrap();
    let refusal = |id: &str, token: Option<&str>| server.pull_with(at.path(), id, token).unwrap_err();
    let message = refusal("org/model@v9", None);
    assert!(message.contains("has no revision `v9` (404)"), "{message}");
    assert!(refusal("org/other", None).contains("org/other does not exist"));
    for (status, token, part) in [
        (401, None, "set HF_TOKEN"),
        (403, None, "not open to all (403)"),
        (403, Some("hf_x"), "the token in HF_TOKEN may not read it (403)"),
        (429, None, "too many requests"),
        (503, None, "answers 503; try again later"),
    ] {
        server.state().status = Some(status);
        let message = refusal("org/model", token);
        assert!(message.starts_with("org/model: ") && message.contains(part), "{message}");
    }
    server.state().status = None;
    for tag in ["\"../../../evil\"", "\"\"", "\".hidden\"", "\"a b\""] {
        server.state().etag = Some(tag.into());
        assert!(refusal("org/model", None).contains("gives no name (ETag)"), "{tag}");
    }
    assert!(!at.path().join("evil").exists());

    // Nobody there: a port that was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let hub = |endpoint: &str, token| Hub::new(endpoint, token, Cache::at(at.path()));
    let nobody = hub(&format!("http://{free}/"), None).unwrap();
    let message = nobody.pull(&ModelId::parse("org/model").unwrap(), &mut |_| ()).unwrap_err().to_string();
    assert!(message.contains("cannot be reached") && message.contains("HF_ENDPOINT"), "{message}");
    for endpoint in ["", "huggingface.co", "ftp://x", "https://"] {
        assert!(hub(endpoint, None).err().unwrap().to_string().contains("HF_ENDPOINT"), "{endpoint}");
    }
    assert!(hub("https://huggingface.co", Some("a\nb")).err().unwrap().to_string().contains("HF_TOKEN"));
}

#[test]
fn one_file_is_not_downloaded_twice_at_once() {
    let server = Server::start(&single());
    let at = tempfile::tempdir().unwrap();
    let folder = at.path().join("models--org--model/blobs");
    std::fs::create_dir_all(&folder).unwrap();
    let file = std::fs::File::create(folder.join(format!("{}.incomplete", sum(&weights(&["a"]))))).unwrap();
    file.lock().unwrap();
    assert!(server.pull(at.path(), "org/model").unwrap_err().contains("another download of this file is under way"));
    drop(file);
    server.pull(at.path(), "org/model").unwrap();
}

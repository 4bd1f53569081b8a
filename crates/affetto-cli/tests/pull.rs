//! `affetto models pull`: what it says where it cannot fetch. Downloads themselves are tested in affetto-models.

mod common;

use common::{Desk, one_error};

#[cfg(feature = "pull")]
#[test]
fn no_network_is_said_in_a_line() {
    let desk = Desk::new();
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let run = |args: &[&str], endpoint: &str| {
        let mut command = desk.command(args);
        command.env("HF_ENDPOINT", endpoint).env("HF_HOME", desk.path()).env_remove("HF_HUB_CACHE");
        command.output().unwrap()
    };
    let args = ["models", "pull", "org/model", "--revision", "v1"];
    let line = one_error(1, &run(&args, &format!("http://{free}")), &args);
    assert!(line.contains("org/model") && line.contains("cannot be reached"), "{line}");
    let line = one_error(1, &run(&args, "nonsense"), &args);
    assert!(line.contains("HF_ENDPOINT"), "{line}");
    assert!(desk.files().is_empty());

    let line = desk.fails(2, &["models", "pull", "../etc/passwd"]);
    assert!(line.contains("facebook/musicgen-small"), "{line}");
    let line = desk.fails(2, &["models", "pull", "org/model", "--revision", "a/../b"]);
    assert!(line.contains("--revision"), "{line}");
}

#[cfg(not(feature = "pull"))]
#[test]
fn a_build_without_it_says_what_to_do() {
    let args = ["models", "pull", "org/model", "--revision", "v1"];
    let desk = Desk::new();
    let line = one_error(1, &desk.run(&args), &args);
    assert!(line.contains("--features pull") && line.contains("hf download org/model --revision v1"), "{line}");
}

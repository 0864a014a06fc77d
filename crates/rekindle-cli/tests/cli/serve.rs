//! `rekindle serve`: the program, its signals, and its answers beside those of `rekindle predict`. (What requests are answered with
//! is tested in rekindle-serve.)

use crate::own_data::real;
use crate::{Folder, fails_with, succeeds};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A server that is killed in the end.
pub struct Served {
    child: Child,
    /// `127.0.0.1:PORT`
    pub address: String,
}

impl Served {
    /// Waits until it says where it is.
    pub fn start(folder: &Path, args: &[&str]) -> Served {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rekindle"));
        command.arg("serve").args(args).args(["--port", "0"]).current_dir(folder);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program runs");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().expect("piped")).read_line(&mut line).expect("a line");
        let Some(address) = line.trim_end().strip_prefix("http://").map(String::from) else {
            panic!("the first line is {line:?}: {:?}", child.wait_with_output());
        };
        let served = Served { child, address };
        assert_eq!(served.ask("GET", "/v2/health/ready", "", b"").0, 200, "who has read the line may ask");
        served
    }

    /// Status and body.
    pub fn ask(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> (u16, String) {
        let mut stream = self.connect();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: it\r\nconnection: close\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat()).expect("it is sent");
        answer(&mut stream)
    }

    fn predict(&self, body: &str) -> (u16, String) {
        self.ask("POST", "/predict", "application/json", body.as_bytes())
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).expect("a connection")
    }

    #[cfg(unix)]
    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().expect("kill runs").success());
    }

    /// The exit code, and what it wrote to its error output.
    fn end(mut self) -> (Option<i32>, String) {
        let status = self.child.wait().expect("an end");
        let mut text = String::new();
        self.child.stderr.as_mut().expect("piped").read_to_string(&mut text).expect("text");
        (status.code(), text)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn answer(stream: &mut TcpStream) -> (u16, String) {
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    (head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status"), body.to_string())
}

/// A folder with a run of the irises.
pub fn iris() -> Folder {
    let folder = Folder::new();
    folder.put("iris.csv", real("iris"));
    folder.learn("iris.csv", "species", &["--epochs", "20"]);
    folder
}

#[test]
fn the_answers_are_those_of_predict_to_the_last_digit() {
    let folder = iris();
    let served = Served::start(&folder.0, &["run"]);
    let csv = folder.read("iris.csv");
    let names: Vec<&str> = csv.lines().next().unwrap().split(',').collect();
    let predicted = succeeds(&folder.rekindle(&["predict", "run", "iris.csv"]));
    let mut same = 0;
    for (row, said) in csv.lines().skip(1).zip(predicted.lines().skip(1)).step_by(9) {
        let cells = names.iter().zip(row.split(',')).take(4);
        let object: Vec<String> = cells.map(|(name, cell)| format!("\"{name}\": {cell}")).collect();
        let (status, body) = served.predict(&format!("{{{}}}", object.join(", ")));
        let said: Vec<&str> = said.split(',').collect();
        let expected = format!(
            r#"{{"model":"run","predictions":[{{"predicted":"{}","probabilities":{{"setosa":{},"versicolor":{},"virginica":{}}}}}]}}"#,
            said[0], said[1], said[2], said[3]
        );
        assert_eq!((status, plain(&body)), (200, plain(&expected)));
        same += 1;
    }
    assert_eq!(same, 17);
}

/// With all numbers written alike.
fn plain(json: &str) -> String {
    let part = |part: &str| part.parse::<f64>().map_or(part.to_string(), |number| format!("{number:e}"));
    json.split_inclusive([':', ',', '}'])
        .map(|text| {
            let (number, end) = text.split_at(text.len() - 1);
            part(number) + end
        })
        .collect()
}

#[test]
#[cfg(unix)]
fn sigterm_and_ctrl_c_let_requests_end_and_exit_with_0() {
    let folder = iris();
    for signal in ["-TERM", "-INT"] {
        let served = Served::start(&folder.0, &["run", "--name", "flowers"]);
        let body = r#"{"sepal_length": 5, "sepal_width": 3, "petal_length": 1.5, "petal_width": 0.2}"#;
        let mut stream = served.connect();
        let head = format!(
            "POST /predict HTTP/1.1\r\nhost: it\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&body.as_bytes()[..20]).unwrap();
        sleep(Duration::from_millis(100));
        served.signal(signal);
        let start = Instant::now();
        while TcpStream::connect(&served.address).is_ok() {
            assert!(start.elapsed() < Duration::from_secs(10), "it takes connections");
            sleep(Duration::from_millis(10));
        }
        stream.write_all(&body.as_bytes()[20..]).unwrap();
        let (status, answer) = answer(&mut stream);
        assert!(
            status == 200 && answer.starts_with(r#"{"model":"flowers","predictions":[{"predicted":"setosa""#),
            "{answer}"
        );
        assert_eq!(served.end(), (Some(0), String::new()));
    }
}

#[test]
#[cfg(unix)]
fn a_second_signal_ends_it_at_once() {
    let folder = iris();
    let served = Served::start(&folder.0, &["run"]);
    let mut stream = served.connect();
    stream.write_all(b"POST /predict HTTP/1.1\r\nhost: it\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n[").unwrap();
    sleep(Duration::from_millis(100));
    served.signal("-TERM");
    sleep(Duration::from_millis(300));
    let start = Instant::now();
    served.signal("-TERM");
    assert_eq!(served.end().0, Some(143));
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
}

#[test]
fn what_cannot_be_served_is_one_line() {
    let folder = iris();
    fails_with(&folder.rekindle(&["serve", "nowhere"]), 1, "nowhere: no such directory");
    fails_with(&folder.rekindle(&["serve", "iris.csv"]), 1, "iris.csv: a file; give the directory of a run");
    let served = Served::start(&folder.0, &["run"]);
    let port = served.address.rsplit(':').next().unwrap();
    let output = folder.rekindle(&["serve", "run", "--port", port]);
    fails_with(&output, 1, &format!("error: cannot listen at 127.0.0.1:{port}: Address already in use"));
    assert!(output.stdout.is_empty(), "no address is printed");
    fails_with(&folder.rekindle(&["serve", "run", "--max-body", "0"]), 2, "a whole number from 1");
    fails_with(&folder.rekindle(&["serve", "run", "--name", "a/b"]), 2, "a name has letters, digits");
    fails_with(&folder.rekindle(&["serve", "run", "--address", "localhost"]), 2, "invalid value 'localhost'");
}

#[test]
#[cfg(unix)]
fn an_address_that_others_reach_is_warned_about() {
    let folder = iris();
    let served = Served::start(&folder.0, &["run", "--address", "0.0.0.0"]);
    served.signal("-TERM");
    let (code, text) = served.end();
    assert_eq!(code, Some(0));
    assert!(
        text.starts_with("warning: everyone who reaches 0.0.0.0:") && text.lines().count() == 1,
        "{text}"
    );
}

#[test]
fn errors_name_no_path_of_the_server() {
    let folder = iris();
    let served = Served::start(&folder.0, &["run"]);
    for body in ["", "{", "[]", "{}", "{\"a\": 1}", "{\"sepal_length\": \"x\"}"] {
        let (status, text) = served.predict(body);
        assert!(matches!(status, 400 | 422), "{text}");
        assert!(!text.contains('/') && !text.contains(".rs"), "{text}");
    }
}

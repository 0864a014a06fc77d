//! The page of `rekindle serve` in a browser without a window, driven by the WebDriver protocol (<https://www.w3.org/TR/webdriver2/>).

use crate::own_data::photos;
use crate::serve::{Served, iris};
use crate::{Folder, succeeds};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A browser and the program that drives it.
struct Browser {
    driver: Child,
    port: u16,
    session: String,
    _profile: Folder,
}

impl Browser {
    /// None where there is no Chromium.
    fn open() -> Option<Browser> {
        let mut command = Command::new("chromedriver");
        let Ok(mut driver) = command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn()
        else {
            _ = writeln!(
                std::io::stderr(),
                "NOT TESTED: the page in a browser. Install chromium and chromium-driver and run again."
            );
            return None;
        };
        let mut lines = BufReader::new(driver.stdout.take().expect("piped")).lines();
        let port = lines.find_map(|line| {
            let line = line.ok()?;
            line.strip_prefix("ChromeDriver was started successfully on port ")?
                .trim_end_matches('.')
                .parse()
                .ok()
        });
        let profile = Folder::new();
        let mut browser =
            Browser { driver, port: port.expect("a port"), session: String::new(), _profile: profile };
        let profile = format!("--user-data-dir={}", browser._profile.0.display());
        let args = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--window-size=900,900",
            &profile,
        ];
        let options = json!({ "args": args });
        let wanted = json!({ "capabilities": { "alwaysMatch": { "browserName": "chrome", "goog:chromeOptions": options } } });
        let session = browser.command("POST", "/session", &wanted);
        browser.session = session["sessionId"].as_str().expect("a session").to_string();
        Some(browser)
    }

    fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the driver listens");
        let body = body.to_string();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).expect("it is sent");
        // The driver keeps the connection, so that the end of the answer is where its head says.
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
        let (mut reader, mut head, mut length) = (BufReader::new(stream), String::new(), 0);
        while head != "\r\n" {
            head.clear();
            assert!(
                reader.read_line(&mut head).expect("an answer") > 0,
                "{path}: the driver closed the connection"
            );
            if let Some(n) = head.to_lowercase().strip_prefix("content-length:") {
                length = n.trim().parse().expect("a length");
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("an answer");
        let body = String::from_utf8(body).expect("text");
        let answer: Value = serde_json::from_str(&body).unwrap_or_else(|e| panic!("{e}: {body}"));
        assert!(answer["value"].get("error").is_none(), "{path}: {answer}");
        answer["value"].clone()
    }

    fn of_session(&self, method: &str, path: &str, body: &Value) -> Value {
        self.command(method, &format!("/session/{}{path}", self.session), body)
    }

    fn go(&self, url: &str) {
        self.of_session("POST", "/url", &json!({ "url": url }));
    }

    /// The element that a CSS selector finds, as soon as it is there.
    fn find(&self, selector: &str) -> String {
        let start = Instant::now();
        loop {
            let using = json!({ "using": "css selector", "value": selector });
            let found = self.of_session("POST", "/elements", &using);
            if let Some(element) = found[0].as_object().and_then(|element| element.values().next()) {
                return element.as_str().expect("an id").to_string();
            }
            assert!(start.elapsed() < Duration::from_secs(20), "there is no {selector}");
            sleep(Duration::from_millis(50));
        }
    }

    fn click(&self, selector: &str) {
        self.of_session("POST", &format!("/element/{}/click", self.find(selector)), &json!({}));
    }

    fn fill(&self, selector: &str, text: &str) {
        let element = self.find(selector);
        if !text.starts_with('/') {
            self.of_session("POST", &format!("/element/{element}/clear"), &json!({}));
        }
        self.of_session("POST", &format!("/element/{element}/value"), &json!({ "text": text }));
    }

    fn text(&self, selector: &str) -> String {
        let text = self.of_session("GET", &format!("/element/{}/text", self.find(selector)), &json!({}));
        text.as_str().expect("text").to_string()
    }

    /// Keeps a picture of the page, where the environment says so.
    fn picture(&self, name: &str) {
        let Ok(folder) = std::env::var("REKINDLE_SCREENSHOTS") else { return };
        let picture = self.of_session("GET", "/screenshot", &json!({}));
        let path = std::path::Path::new(&folder).join(name).with_extension("base64");
        std::fs::write(path, picture.as_str().expect("base64")).expect("a picture");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let (false, Ok(mut stream)) =
            (self.session.is_empty(), TcpStream::connect(("127.0.0.1", self.port)))
        {
            let path = format!("/session/{}", self.session);
            _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
            _ = write!(stream, "DELETE {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n");
            _ = stream.read(&mut [0; 256]);
        }
        _ = self.driver.kill();
        _ = self.driver.wait();
    }
}

#[test]
fn a_person_types_values_and_sees_bars() {
    let Some(browser) = Browser::open() else { return };
    let folder = iris();
    let served = Served::start(&folder.0, &["run"]);
    browser.go(&format!("http://{}/", served.address));
    for (name, value) in
        [("sepal_length", "5.1"), ("sepal_width", "3.5"), ("petal_length", "1.4"), ("petal_width", "0.2")]
    {
        browser.fill(&format!("input[name={name}]"), value);
    }
    browser.click("#ask");
    browser.find("#bars li meter");
    assert_eq!((browser.text("#name"), browser.text("#predicted")), ("run".into(), "setosa".into()));
    let body = br#"{"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}"#;
    let (_, said) = served.ask("POST", "/predict", "application/json", body);
    let said: Value = serde_json::from_str(&said).unwrap();
    let chance = said["predictions"][0]["probabilities"]["setosa"].as_f64().unwrap();
    assert_eq!(browser.text("#bars li.best"), format!("setosa\n{:.1} %", 100.0 * chance));
    let bars =
        browser.of_session("POST", "/elements", &json!({ "using": "css selector", "value": "#bars li" }));
    assert_eq!(bars.as_array().map(Vec::len), Some(3));
    browser.picture("table");
}

#[test]
fn a_person_chooses_an_image_and_sees_bars_and_errors() {
    let Some(browser) = Browser::open() else { return };
    let folder = Folder::new();
    photos(&folder);
    succeeds(&folder.rekindle(&["init", "photos", "--output", "photos.toml"]));
    succeeds(&folder.rekindle(&["train", "photos.toml", "--quiet", "--epochs", "3", "--output", "run"]));
    let served = Served::start(&folder.0, &["run"]);
    browser.go(&format!("http://{}/", served.address));
    let image = folder.0.join("photos/dark/0.png");
    browser.find("#drop:not([hidden])");
    browser.fill("#file", image.to_str().unwrap());
    browser.find("#bars li.best meter");
    assert!(!browser.text("#predicted").is_empty() && browser.text("#error").is_empty());
    browser.picture("image");
    let broken = folder.0.join("broken.png");
    std::fs::write(&broken, b"\x89PNG\r\n\x1a\nno image").unwrap();
    browser.fill("#file", broken.to_str().unwrap());
    browser.find("#answer[hidden]");
    assert!(browser.text("#error").starts_with("image: a damaged image"), "{}", browser.text("#error"));
}

//! Downloads from a server on loopback that misbehaves on purpose.

use super::*;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What the server does with one request.
#[derive(Clone)]
enum Reply {
    /// Serves the content, or the range of it that is asked for.
    Whole,
    /// As `Whole`, but hangs up after so many bytes of the body.
    Broken(usize),
    /// Serves the content from the start, whatever is asked for.
    NoRanges,
    /// As `Whole`, but falls silent after so many bytes of the body.
    Stalled(usize),
    /// As `Whole`, but claims that the range asked for starts at 1.
    WrongRange,
    /// Serves all of another content.
    Other(Vec<u8>),
    /// An empty answer with a status.
    Status(&'static str),
}

/// A server that answers one request after the other as told, and writes down the ranges asked for.
struct Server {
    url: String,
    ranges: Arc<Mutex<Vec<Option<u64>>>>,
}

impl Server {
    fn new(content: Vec<u8>, replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/file.gz", listener.local_addr().unwrap());
        let ranges = Arc::new(Mutex::new(Vec::new()));
        let asked = ranges.clone();
        thread::spawn(move || {
            for reply in replies {
                let (stream, _) = listener.accept().unwrap();
                let range = read_request(&stream);
                asked.lock().unwrap().push(range);
                // The client hanging up is its good right.
                let _ = answer(stream, &content, range, reply);
            }
        });
        Self { url, ranges }
    }

    fn ranges(&self) -> Vec<Option<u64>> {
        self.ranges.lock().unwrap().clone()
    }
}

/// The start of the range asked for.
fn read_request(stream: &TcpStream) -> Option<u64> {
    let lines = BufReader::new(stream).lines().map_while(io::Result::ok);
    let headers = lines.take_while(|line| !line.is_empty()).map(|line| line.to_lowercase());
    let ranges: Vec<u64> = headers
        .filter_map(|line| line.strip_prefix("range: bytes=")?.strip_suffix('-')?.parse().ok())
        .collect();
    ranges.first().copied()
}

fn answer(mut stream: TcpStream, content: &[u8], range: Option<u64>, reply: Reply) -> io::Result<()> {
    let range = range.filter(|_| !matches!(reply, Reply::NoRanges | Reply::Other(_)));
    let start = range.unwrap_or(0) as usize;
    if start >= content.len() {
        return write!(stream, "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n\r\n");
    }
    let (mut status, mut body) = ("200 OK", &content[start..]);
    let mut range_header = String::new();
    if range.is_some() {
        status = "206 Partial Content";
        let claimed = if matches!(reply, Reply::WrongRange) { 1 } else { start };
        range_header = format!("Content-Range: bytes {claimed}-{}/{}\r\n", content.len() - 1, content.len());
    }
    match &reply {
        Reply::Status(other) => (status, body) = (other, &[]),
        Reply::Other(other) => body = other,
        _ => {}
    }
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n{range_header}\r\n", body.len())?;
    match reply {
        Reply::Broken(length) => stream.write_all(&body[..length]),
        Reply::Stalled(length) => {
            stream.write_all(&body[..length])?;
            thread::sleep(Duration::from_secs(2));
            Ok(())
        }
        _ => stream.write_all(body),
    }
}

/// A folder that is removed when dropped, and a download into it.
struct Case {
    folder: PathBuf,
    content: Vec<u8>,
}

impl Case {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("rekindle-download-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let content = (0..300_000u32).map(|i| (i * 7 % 251) as u8).collect();
        Self { folder, content }
    }

    fn target(&self) -> PathBuf {
        self.folder.join("file.gz")
    }

    fn part(&self) -> PathBuf {
        self.folder.join("file.gz.part")
    }

    fn fetch(&self, url: &str) -> Result<(), String> {
        let downloader =
            Downloader { timeout: Duration::from_millis(300), attempts: 3, pause: Duration::from_millis(1) };
        let check = |path: &Path| {
            let same = fs::read(path).unwrap() == self.content;
            if same { Ok(()) } else { Err("wrong checksum".to_string()) }
        };
        let result = downloader.fetch(url, &self.target(), 400_000, &check, &mut |_| {});
        result.map_err(|error| error.to_string())
    }

    /// The problem that makes a download fail for good, after which there is no file.
    fn problem(&self, url: &str) -> String {
        let line = self.fetch(url).unwrap_err();
        assert!(!self.target().exists());
        let problem = line.strip_prefix(&format!("{url}: ")).expect("the line begins with the address");
        problem.strip_suffix(&format!("; {REMEDY}")).expect("the line ends with the remedy").to_string()
    }

    fn assert_complete(&self) {
        assert!(fs::read(self.target()).unwrap() == self.content);
        assert!(!self.part().exists());
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn a_file_arrives_whole() {
    let case = Case::new("whole");
    let server = Server::new(case.content.clone(), vec![Reply::Whole]);
    case.fetch(&server.url).unwrap();
    case.assert_complete();
    assert_eq!(server.ranges(), [None]);
}

#[test]
fn a_file_that_exists_is_not_fetched() {
    let case = Case::new("exists");
    fs::write(case.target(), b"mine").unwrap();
    case.fetch("http://127.0.0.1:1/file.gz").unwrap();
    assert_eq!(fs::read(case.target()).unwrap(), b"mine");
}

#[test]
fn a_broken_transfer_is_continued() {
    let case = Case::new("broken");
    let server =
        Server::new(case.content.clone(), vec![Reply::Broken(100_000), Reply::Broken(50_000), Reply::Whole]);
    case.fetch(&server.url).unwrap();
    case.assert_complete();
    assert_eq!(server.ranges(), [None, Some(100_000), Some(150_000)]);
}

#[test]
fn a_later_run_continues_what_an_earlier_one_left() {
    let case = Case::new("later");
    let server = Server::new(
        case.content.clone(),
        vec![Reply::Broken(10), Reply::Broken(10), Reply::Broken(10), Reply::Whole],
    );
    assert_eq!(case.problem(&server.url), "connection closed after 30 of 300000 bytes (3 attempts)");
    assert_eq!(fs::metadata(case.part()).unwrap().len(), 30);
    case.fetch(&server.url).unwrap();
    case.assert_complete();
    assert_eq!(server.ranges().last(), Some(&Some(30)));
}

#[test]
fn a_server_without_ranges_starts_over() {
    let case = Case::new("no-ranges");
    let server = Server::new(case.content.clone(), vec![Reply::Broken(100_000), Reply::NoRanges]);
    case.fetch(&server.url).unwrap();
    case.assert_complete();
}

#[test]
fn a_server_that_sends_another_range_starts_over() {
    let case = Case::new("wrong-range");
    let server =
        Server::new(case.content.clone(), vec![Reply::Broken(1000), Reply::WrongRange, Reply::Whole]);
    case.fetch(&server.url).unwrap();
    case.assert_complete();
    assert_eq!(server.ranges(), [None, Some(1000), None]);
}

#[test]
fn a_part_that_is_complete_needs_no_more_bytes() {
    let case = Case::new("complete");
    fs::write(case.part(), &case.content).unwrap();
    let server = Server::new(case.content.clone(), vec![Reply::Whole]);
    case.fetch(&server.url).unwrap();
    case.assert_complete();
}

#[test]
fn a_part_of_something_else_is_thrown_away() {
    let case = Case::new("foreign-part");
    fs::write(case.part(), vec![1; 1000]).unwrap();
    let server = Server::new(case.content.clone(), vec![Reply::Whole, Reply::Whole]);
    case.fetch(&server.url).unwrap();
    case.assert_complete();
    assert_eq!(server.ranges(), [Some(1000), None]);
}

#[test]
fn a_part_longer_than_the_file_is_thrown_away() {
    let case = Case::new("long-part");
    fs::write(case.part(), vec![1; 300_001]).unwrap();
    let server = Server::new(case.content.clone(), vec![Reply::Whole, Reply::Whole]);
    case.fetch(&server.url).unwrap();
    case.assert_complete();
}

#[test]
fn a_wrong_checksum_leaves_nothing() {
    let case = Case::new("checksum");
    let server = Server::new(case.content.clone(), vec![Reply::Other(vec![0; 1000])]);
    assert_eq!(case.problem(&server.url), "wrong checksum");
    assert!(!case.part().exists());
}

#[test]
fn a_missing_page_is_not_tried_again() {
    let case = Case::new("404");
    let server = Server::new(case.content.clone(), vec![Reply::Status("404 Not Found"), Reply::Whole]);
    assert_eq!(case.problem(&server.url), "the server answers 404 Not Found");
}

#[test]
fn a_busy_server_is_tried_again() {
    let case = Case::new("503");
    let server =
        Server::new(case.content.clone(), vec![Reply::Status("503 Service Unavailable"), Reply::Whole]);
    case.fetch(&server.url).unwrap();
    case.assert_complete();
}

#[test]
fn a_busy_server_keeps_what_has_arrived() {
    let case = Case::new("503-resume");
    let replies = vec![Reply::Broken(1000), Reply::Status("503 Service Unavailable"), Reply::Whole];
    let server = Server::new(case.content.clone(), replies);
    case.fetch(&server.url).unwrap();
    case.assert_complete();
    assert_eq!(server.ranges(), [None, Some(1000), Some(1000)]);
}

#[test]
fn a_server_that_is_off_is_reported() {
    let case = Case::new("off");
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{address}/file.gz");
    assert_eq!(case.problem(&url), "connection refused (3 attempts)");
}

#[test]
fn a_server_that_falls_silent_is_left_and_continued() {
    let case = Case::new("stalled");
    let server = Server::new(case.content.clone(), vec![Reply::Stalled(1000)]);
    let patient = case.problem(&server.url);
    assert!(patient.starts_with("no data for 300ms"), "{patient}");
    assert_eq!(fs::metadata(case.part()).unwrap().len(), 1000);
}

#[test]
fn more_than_the_limit_is_refused() {
    let case = Case::new("limit");
    let server = Server::new(case.content.clone(), vec![Reply::Other(vec![0; 400_001])]);
    assert_eq!(case.problem(&server.url), "the server offers 400001 bytes, more than the 400000 possible");
}

#[test]
fn a_folder_that_cannot_be_made_is_reported() {
    let case = Case::new("folder");
    let file = case.folder.join("file");
    fs::write(&file, b"").unwrap();
    let target = file.join("sub").join("file.gz");
    let result = Downloader::new().fetch("http://127.0.0.1:1/", &target, 1, &|_| Ok(()), &mut |_| {});
    let line = result.unwrap_err().to_string();
    assert!(line.starts_with(&file.join("sub").display().to_string()), "{line}");
}

#[test]
fn events_tell_the_whole_story() {
    let case = Case::new("events");
    let server = Server::new(case.content.clone(), vec![Reply::Broken(100_000), Reply::Whole]);
    let downloader = Downloader { pause: Duration::from_millis(1), ..Downloader::new() };
    let mut story = Vec::new();
    let mut last = 0;
    let mut report = |event: Event<'_>| match event {
        Event::Started { resumed, total, .. } => story.push(format!("started {resumed} {total:?}")),
        Event::Advanced { received } => last = received,
        Event::Retrying { problem, .. } => story.push(problem.to_string()),
        Event::Finished { .. } => story.push("finished".into()),
    };
    downloader.fetch(&server.url, &case.target(), 400_000, &|_| Ok(()), &mut report).unwrap();
    assert_eq!(
        story,
        [
            "started 0 Some(300000)",
            "connection closed after 100000 of 300000 bytes",
            "started 100000 Some(300000)",
            "finished"
        ]
    );
    assert_eq!(last, 300_000);
}

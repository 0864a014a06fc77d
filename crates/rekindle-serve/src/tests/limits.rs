//! Clients that are slow, many, too large or gone; nets that panic; the end.

use super::client::{Client, JSON};
use super::{Running, models};
use crate::Limits;
use rekindle_tensor::Tensor;
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(200);

/// The beginning of a request whose body is to have so many bytes.
fn begin(client: &mut Client, bytes: usize) {
    let head = format!(
        "POST /predict HTTP/1.1\r\nhost: it\r\ncontent-type: application/json\r\ncontent-length: {bytes}\r\n\r\n"
    );
    client.send(head.as_bytes());
}

#[test]
fn a_body_that_is_too_large_is_refused_whether_it_says_so_or_not() {
    let server = Running::with(models::circles(), Limits { body_bytes: 100, ..Default::default() });
    let message = "the body has more than 100 bytes; send fewer samples";
    assert_eq!(server.client().predict([b' '; 101]).error(413), message);
    let mut client = server.client();
    begin(&mut client, 1 << 40);
    let reply = client.reply();
    assert!(reply.error(413) == message && reply.head.contains("connection: close"), "{}", reply.head);
    let mut chunked = server.client();
    chunked.send(b"POST /predict HTTP/1.1\r\nhost: it\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n");
    for _ in 0..3 {
        chunked.send(&[b"28\r\n".as_slice(), &[b' '; 40], b"\r\n"].concat());
    }
    assert_eq!(chunked.reply().error(413), message);
    assert_eq!(server.client().predict(format!("[1, 2]{}", " ".repeat(94))).status, 200);
}

#[test]
fn a_client_that_is_still_sending_sees_why_it_is_refused() {
    let server = Running::with(models::circles(), Limits { body_bytes: 1000, ..Default::default() });
    let body = vec![b' '; 20 << 20];
    assert_eq!(server.client().predict(&body).status, 413);
    assert_eq!(server.client().post("/predict", "text/csv", &body).status, 415);
    assert_eq!(server.client().post("/nowhere", JSON, &body).status, 404);
    assert_eq!(server.client().post("/model", JSON, &body).status, 405);
}

#[test]
fn as_many_samples_are_taken_as_their_numbers_allow() {
    let server = Running::with(models::clothes(), Limits { numbers: 784 * 2, ..Default::default() });
    let sample = format!("[{}]", vec!["0"; 784].join(","));
    let three = format!("[{sample},{sample},{sample}]");
    assert!(server.client().predict(three).error(413).starts_with("3 samples; a request has at most 2"));
    assert_eq!(server.client().predict(format!("[{sample},{sample}]")).status, 200);
}

#[test]
fn large_requests_together_have_a_limit() {
    let (server, gate) = held(Limits { all_bytes: 2000, ..Default::default() });
    let guard = gate.lock().unwrap();
    let big: &'static str = Box::leak(format!("[{}]", vec!["[1,2]"; 200].join(",")).into_boxed_str());
    let first = ask_in_thread(&server, big);
    let start = Instant::now();
    while !server.client().get("/metrics").text().contains("rekindle_requests_waiting 1") {
        assert!(start.elapsed() < Duration::from_secs(10));
    }
    let error = server.client().predict(big).error(503);
    assert_eq!(error, "too many large requests at the same time; try again later");
    drop(guard);
    assert_eq!(first.join().unwrap(), 200);
    assert_eq!(server.client().predict(big).status, 200);
}

#[test]
fn too_many_samples_are_refused() {
    let server = Running::with(models::circles(), Limits { samples: 3, ..Default::default() });
    let error = server.client().predict("[[1,2],[1,2],[1,2],[1,2]]").error(413);
    assert_eq!(error, "4 samples; a request has at most 3, send them in several");
    assert_eq!(server.client().predict("[[1,2],[1,2],[1,2]]").status, 200);
}

#[test]
fn slow_bodies_get_408_and_slow_heads_are_closed() {
    let server =
        Running::with(models::circles(), Limits { body: SHORT, headers: SHORT, ..Default::default() });
    let (mut body, mut head, mut silent) = (server.client(), server.client(), server.client());
    begin(&mut body, 6);
    body.send(b"[1,");
    head.send(b"POST /predict HTTP/1.1\r\nho");
    let start = Instant::now();
    let reply = body.reply();
    assert_eq!(reply.error(408), "the body did not come in time; send it faster");
    assert!(body.is_closed() && head.is_closed() && silent.is_closed());
    assert!(start.elapsed() < SHORT * 20, "{:?}", start.elapsed());
}

#[test]
fn a_head_of_many_bytes_is_refused() {
    let server = Running::new(models::circles());
    let mut client = server.client();
    client.send(format!("GET / HTTP/1.1\r\nhost: it\r\nx: {}\r\n\r\n", "y".repeat(1 << 17)).as_bytes());
    assert_eq!(client.reply().status, 431);
    assert_eq!(server.client().predict("[1, 2]").status, 200);
}

#[test]
fn connections_beyond_the_limit_get_503_and_those_within_go_on() {
    let server = Running::with(models::circles(), Limits { connections: 3, ..Default::default() });
    // The connection that looked whether the server is ready may still be there.
    sleep(SHORT);
    let mut within: Vec<Client> = (0..3).map(|_| server.client()).collect();
    within.iter_mut().for_each(|client| assert_eq!(client.get("/v2").status, 200));
    let mut beyond = server.client();
    let reply = beyond.get("/v2");
    assert_eq!(reply.error(503), "there are too many connections; come back later");
    assert!(reply.head.contains("retry-after: 1") && beyond.is_closed(), "{}", reply.head);
    within.iter_mut().for_each(|client| assert_eq!(client.predict("[1, 2]").status, 200));
    drop(within);
    let start = Instant::now();
    while server.client().get("/v2").status != 200 {
        assert!(start.elapsed() < Duration::from_secs(10));
    }
}

/// A server whose net waits for the guard of this lock, once it is warm.
fn held(limits: Limits) -> (Running, Arc<Mutex<()>>) {
    let gate = Arc::new(Mutex::new(()));
    let its = gate.clone();
    let server = Running::asking(models::circles(), limits, move |_| drop(its.lock()));
    (server, gate)
}

fn ask_in_thread(server: &Running, body: &'static str) -> thread::JoinHandle<u16> {
    let mut client = server.client();
    thread::spawn(move || client.predict(body).status)
}

#[test]
fn requests_beyond_the_limit_get_503_at_once_and_the_others_their_answers() {
    let (server, gate) = held(Limits { waiting: 4, ..Default::default() });
    let guard = gate.lock().unwrap();
    let waiting: Vec<_> = (0..4).map(|_| ask_in_thread(&server, "[1, 2]")).collect();
    let start = Instant::now();
    while !server.client().get("/metrics").text().contains("rekindle_requests_waiting 4") {
        assert!(start.elapsed() < Duration::from_secs(10));
    }
    let start = Instant::now();
    let reply = server.client().predict("[1, 2]");
    assert_eq!(reply.error(503), "4 requests are under way; try again later");
    assert!(reply.head.contains("retry-after: 1") && start.elapsed() < SHORT * 5, "{:?}", start.elapsed());
    // It does not even have to send its body, and when it has, the connection goes on.
    let mut client = server.client();
    begin(&mut client, 6);
    assert_eq!(client.reply().error(503), "4 requests are under way; try again later");
    client.send(b"[1, 2]");
    assert_eq!(client.get("/v2").status, 200);
    // Who looks for the answer only after a long body sees it, too, and not a reset connection.
    let mut client = server.client();
    begin(&mut client, 8 << 20);
    for _ in 0..8 {
        sleep(SHORT);
        client.send(&[b' '; 1 << 20]);
    }
    assert_eq!(client.reply().error(503), "4 requests are under way; try again later");
    drop(guard);
    assert!(waiting.into_iter().all(|thread| thread.join().unwrap() == 200));
    assert_eq!(server.client().predict("[1, 2]").status, 200);
}

#[test]
fn an_answer_that_takes_too_long_is_503() {
    let (server, gate) = held(Limits { answer: SHORT, ..Default::default() });
    let guard = gate.lock().unwrap();
    let error = server.client().predict("[1, 2]").error(503);
    assert_eq!(error, "the prediction takes too long; try again later, or send fewer samples");
    drop(guard);
}

#[test]
fn a_panic_is_500_for_its_request_alone() {
    let bad = |x: &Tensor| assert!(!x.to_vec::<f32>().contains(&13.0), "thirteen, as this test wants it");
    let window = Duration::from_millis(100);
    let server = Running::asking(models::circles(), Limits { window, ..Default::default() }, bad);
    let expected = server.client().predict("[1, 2]");
    for _ in 0..3 {
        let clients: Vec<_> = (0..12)
            .map(|i| {
                let mut client = server.client();
                thread::spawn(move || (i, client.predict(if i == 5 { "[13, 2]" } else { "[1, 2]" })))
            })
            .collect();
        for client in clients {
            let (i, reply) = client.join().unwrap();
            match i {
                5 => assert!(reply.error(500).starts_with("the prediction failed")),
                _ => assert_eq!(reply, expected),
            }
        }
    }
    assert!(server.client().get("/metrics").text().lines().any(|line| { line == "rekindle_panics_total 3" }));
}

#[test]
fn an_output_that_is_not_finite_is_422_for_its_request_alone() {
    let limits = Limits { window: Duration::from_millis(100), ..Default::default() };
    let server = Running::with(models::steep(), limits);
    // The sign of the weight decides which of them it is.
    let bad = ["[3e38]", "[-3e38]"].into_iter().find(|body| server.client().predict(body).status == 422);
    let bad = bad.expect("one of them overflows");
    let said = server.client().predict(bad).error(422);
    assert_eq!(said, "an output of the net is not finite; are the inputs like those of the training data?");
    let expected = server.client().predict("[0.5]");
    for _ in 0..3 {
        let clients: Vec<_> = (0..12)
            .map(|i| {
                let mut client = server.client();
                let body = if i == 5 { bad } else { "[0.5]" };
                thread::spawn(move || (i, client.predict(body)))
            })
            .collect();
        for client in clients {
            let (i, reply) = client.join().unwrap();
            if i == 5 { assert_eq!(reply.status, 422) } else { assert_eq!(reply, expected) }
        }
    }
}

#[test]
fn a_client_that_reads_no_answers_loses_its_connection() {
    let server = Running::with(models::circles(), Limits { write: SHORT, ..Default::default() });
    let mut deaf = server.client();
    // More answers than both ends can hold.
    let requests = b"GET /openapi.json HTTP/1.1\r\nhost: it\r\n\r\n".repeat(5000);
    let sending = thread::spawn(move || {
        deaf.try_send(&requests);
        deaf
    });
    let (start, mut client) = (Instant::now(), server.client());
    sleep(SHORT);
    while !client.get("/metrics").text().contains("rekindle_connections 1\n") {
        assert!(start.elapsed() < Duration::from_secs(20), "{}", client.get("/metrics").text());
        sleep(Duration::from_millis(20));
    }
    drop(sending.join().unwrap());
}

#[test]
fn before_the_model_is_warm_nothing_is_asked_of_it() {
    let gate = Arc::new(Mutex::new(()));
    let (guard, its) = (gate.lock().unwrap(), gate.clone());
    let server = Running::cold(models::circles(), Limits::default(), move |_| drop(its.lock()));
    let not_ready = "not ready: the model is being warmed up, or the server is stopping";
    let mut client = server.client();
    for path in ["/v2/health/ready", "/v2/models/it/ready"] {
        assert_eq!(client.get(path).error(503), not_ready);
    }
    let reply = client.predict("[1, 2]");
    assert!(reply.error(503) == not_ready && reply.head.contains("retry-after: 1"), "{}", reply.head);
    assert_eq!(client.get("/v2/health/live").status, 200);
    assert!(client.get("/metrics").text().contains("rekindle_ready 0"));
    drop(guard);
    server.wait();
    assert_eq!(client.predict("[1, 2]").status, 200);
}

#[test]
fn clients_that_go_away_leave_nothing_behind() {
    let server = Running::new(models::circles());
    for i in 0..200 {
        let mut client = server.client();
        match i % 4 {
            0 => {}
            1 => client.send(b"POST /predict HT"),
            2 => begin(&mut client, 1000),
            _ => client.send(b"POST /predict HTTP/1.1\r\nhost: it\r\ncontent-type: application/json\r\ncontent-length: 6\r\n\r\n[1, 2]"),
        }
    }
    let mut client = server.client();
    let start = Instant::now();
    while !client.get("/metrics").text().contains("rekindle_connections 1\n") {
        assert!(start.elapsed() < Duration::from_secs(20), "{}", client.get("/metrics").text());
        sleep(Duration::from_millis(20));
    }
    assert!(client.get("/metrics").text().contains("rekindle_requests_waiting 0"));
    assert_eq!(client.predict("[1, 2]").status, 200);
}

#[test]
fn what_is_not_http_is_an_error_and_the_server_goes_on() {
    let server = Running::new(models::circles());
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"\0\0\0\0\r\n\r\n",
        b"GET\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut client = server.client();
        client.send(bytes);
        if !client.is_closed() {
            assert!(client.reply().status >= 400);
        }
    }
    assert_eq!(server.client().predict("[1, 2]").status, 200);
}

#[test]
fn a_server_that_is_stopped_answers_what_is_under_way_and_takes_nothing_new() {
    let (server, gate) = held(Limits::default());
    let address = server.address;
    let guard = gate.lock().unwrap();
    let mut half = server.client();
    begin(&mut half, 6);
    half.send(b"[1,");
    let waiting = ask_in_thread(&server, "[1, 2]");
    let start = Instant::now();
    while !server.client().get("/metrics").text().contains("rekindle_requests_waiting 1") {
        assert!(start.elapsed() < Duration::from_secs(10));
    }
    server.stop.stop();
    sleep(SHORT);
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
    drop(guard);
    half.send(b" 2]");
    let reply = half.reply();
    assert!(reply.status == 200 && half.is_closed(), "{}", reply.head);
    assert_eq!(waiting.join().unwrap(), 200);
    assert!(server.end().is_ok());
}

#[test]
fn requests_that_never_end_are_cut_when_the_time_to_stop_is_over() {
    let server = Running::with(models::circles(), Limits { drain: SHORT, ..Default::default() });
    let mut client = server.client();
    client.post("/predict", JSON, "[1, 2]");
    begin(&mut client, 6);
    sleep(SHORT);
    let start = Instant::now();
    assert!(server.end().is_err_and(|e| e.to_string().contains("were not answered in time")));
    assert!(start.elapsed() < SHORT * 20);
}

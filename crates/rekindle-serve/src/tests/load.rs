//! Many clients at once.

use super::{Running, models};
use std::collections::HashMap;
use std::sync::Arc;
use std::thread;

/// Each request has numbers of its own, and its answer is known: the same bytes as when it was asked alone.
#[test]
fn of_10000_requests_over_200_connections_none_is_lost_and_none_crossed() {
    const CONNECTIONS: usize = 200;
    const EACH: usize = 50;
    let server = Running::new(models::circles());
    let body = |i: usize| format!("[{}, {}]", (i % 997) as f32 / 500.0, (i % 13) as f32 - 6.0);
    let mut client = server.client();
    let alone: HashMap<String, Vec<u8>> =
        (0..CONNECTIONS * EACH).step_by(7).map(|i| (body(i), client.predict(body(i)).body)).collect();
    let alone = Arc::new(alone);
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|c| {
            let (mut client, alone) = (server.client(), alone.clone());
            thread::spawn(move || {
                let answers = (0..EACH).map(|i| c * EACH + i).map(|i| (body(i), client.predict(body(i))));
                answers.fold((0, 0), |(same, known), (body, reply)| {
                    assert_eq!(reply.status, 200, "{}", reply.text());
                    let expected = alone.get(&body);
                    (
                        same + usize::from(expected == Some(&reply.body)),
                        known + usize::from(expected.is_some()),
                    )
                })
            })
        })
        .collect();
    let (mut same, mut known) = (0, 0);
    for client in clients {
        let (its_same, its_known) = client.join().expect("all of its requests were answered");
        same += its_same;
        known += its_known;
    }
    assert!(known > 1000 && same == known, "{same} of {known} answers have the bytes of a batch of one");
    let metrics = server.client().get("/metrics").text();
    let asked = CONNECTIONS * EACH + (0..CONNECTIONS * EACH).step_by(7).count();
    let line = format!("rekindle_requests_total{{path=\"/predict\",status=\"200\"}} {asked}");
    assert!(metrics.lines().any(|l| l == line), "{metrics}");
}

//! An upgrade node by node: the first node of the next version has expanded the schema, and those of this
//! one go on beside it until it is their turn.

use stanch_tests::eventually;

use crate::nodes::Cluster;

/// What a next version may do to the schema while this one works: expand it.
const EXPAND: &str = "do $$ declare name text; begin \
    for name in select table_name from information_schema.tables \
        where table_schema = 'public' and table_name not like '\\_sqlx%' loop \
        execute format('alter table %I add column of_the_next_version text default ''x''', name); \
    end loop; \
    create table of_the_next_version (id text primary key); \
    insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
        values (9999, 'later', true, decode('00', 'hex'), 0); \
    end $$";

#[tokio::test(flavor = "multi_thread")]
async fn a_node_goes_on_beside_the_next_version_and_is_not_started_again_on_its_schema() {
    let cluster = Cluster::of(100).await;
    let mut node = cluster.node().await;
    cluster.ledger.hold();
    cluster.send(&node, 0..5).await;
    eventually("calls of all runs", async || (cluster.ledger.calls() == 5).then_some(())).await;
    cluster.database.query(EXPAND).await;
    cluster.ledger.let_go();
    cluster.send(&node, 5..10).await;
    cluster.ends_exactly(10).await;
    // What was prepared for the schema of before is prepared anew on other connections, too.
    cluster.database.cut_connections().await;
    cluster.send(&node, 10..12).await;
    cluster.ends_exactly(12).await;

    assert!(node.process.terminate().await.success(), "{}", node.process.output());
    let refused = cluster.command(&["serve"]).output().await.unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("ST0502") && said.contains("newer"), "{said}");
}

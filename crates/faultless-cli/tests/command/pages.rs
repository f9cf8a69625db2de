//! `pages`, `warm`, `evict`, `lock`, `watch`.

use crate::run::Folder;

const LEN: usize = 1 << 20;

fn folder() -> Folder {
    let folder = Folder::with("f", vec![1; LEN]);
    folder.write("d/g", vec![2; 100]);
    folder
}

#[test]
fn warm_files_are_in_memory() {
    let folder = folder();
    let json = folder.run(&["warm", "f", "--json"]).has(0).json();
    let pages = LEN / faultless::page_size();
    assert_eq!((&json[0]["pages"], &json[0]["resident"]), (&pages.into(), &pages.into()));
    assert_eq!(json[0]["ranges"], serde_json::json!([[0, LEN]]));
    let ran = folder.run(&["pages", "f"]).has(0);
    assert!(ran.text().starts_with(&format!("f: {pages} of {pages} pages")), "{ran:?}");
}

#[test]
fn several_files_have_a_sum() {
    let folder = folder();
    folder.run(&["warm", "-r", "f", "d"]).has(0);
    let ran = folder.run(&["pages", "f", "d/g"]).has(0);
    let pages = LEN / faultless::page_size() + 1;
    assert!(ran.lines()[2].starts_with(&format!("2 files: {pages} of {pages} pages")), "{ran:?}");
    let json = folder.run(&["pages", "-r", "--json", "d", "f"]).has(0).json();
    assert_eq!(json[2]["sum"], serde_json::json!({"files": 2, "pages": pages, "resident": pages}));
    let ran = folder.run(&["pages", "missing", "f"]).fails(&["missing: "]);
    assert_eq!(ran.lines().len(), 1);
    folder.run(&["pages", "d"]).fails(&["d: is a directory"]);
}

#[test]
fn ranges_are_parts_of_files() {
    let folder = folder();
    let page = faultless::page_size();
    let range = format!("{page}+{}", 2 * page);
    let json = folder.run(&["warm", "f", "--range", &range, "--json"]).has(0).json();
    assert_eq!(json[0]["pages"], 2);
    assert_eq!(json[0]["ranges"], serde_json::json!([[page, 3 * page]]));
    folder.run(&["pages", "f", "--range", "2M.."]).fails(&["f: offset 2097152 is behind the end"]);
}

#[test]
fn evicted_pages_are_shown_to_be_gone_or_not() {
    let folder = folder();
    let json = folder.run(&["evict", "f", "--json"]).has(0).json();
    // The system may keep them: how many are left is what `pages` says, too.
    let left = json[0]["resident"].as_u64().unwrap();
    assert!(left <= json[0]["pages"].as_u64().unwrap());
    let ran = folder.run(&["pages", "f"]).has(0);
    assert!(ran.text().contains(" pages of "), "{ran:?}");
}

#[test]
fn draws_a_picture() {
    let folder = folder();
    folder.write("a<b&c", vec![1; 10_000]);
    folder.write("empty", "");
    folder.run(&["warm", "f", "a<b&c"]).has(0);
    folder.run(&["pages", "f", "a<b&c", "empty", "--svg", "out.svg"]).has(0);
    let svg = String::from_utf8(folder.read("out.svg")).unwrap();
    assert!(svg.starts_with("<svg xmlns="), "{svg}");
    assert!(svg.ends_with("</svg>\n"), "{svg}");
    assert!(svg.contains("a&lt;b&amp;c: ") && svg.contains("empty: 0 of 0 pages"), "{svg}");
    // All of a file that is in memory is one part.
    assert_eq!(svg.matches("fill-opacity=\"1\"").count(), 2, "{svg}");
    folder.run(&["pages", "f", "--svg", "no/such/folder"]).fails(&["no/such/folder: "]);
}

#[test]
fn pipes_have_no_pages() {
    let folder = folder();
    folder.pipe(&["pages", "-"], b"text").fails(&["is a pipe"]);
    let file = std::fs::File::open(folder.path("f")).unwrap();
    let done = folder.command(&["pages", "-"]).stdin(file).output().unwrap();
    assert!(done.status.success(), "{done:?}");
}

#[test]
fn watches_as_often_as_asked() {
    let folder = folder();
    folder.run(&["warm", "f"]).has(0);
    let ran = folder.run(&["watch", "f", "--count", "3", "--interval", "0.01"]).has(0);
    assert_eq!(ran.lines().len(), 3);
    let json =
        folder.run(&["watch", "f", "d/g", "--count=2", "--interval=0", "--json"]).has(0).json();
    assert_eq!(json.len(), 6);
    folder.run(&["watch", "missing", "--count=2", "--interval=0"]).fails(&["missing: "]);
}

#[test]
fn watch_goes_on() {
    let folder = folder();
    let mut watching = folder.start(&["watch", "f", "--interval", "0.01"]);
    for _ in 0..5 {
        assert!(watching.line().starts_with("f: "));
    }
    folder.cut("f", 1000);
    assert!(
        watching
            .message("truncated")
            .contains("f: the file was truncated: it has no bytes from offset 1000 on")
    );
    watching.close().has(0);
}

#[cfg(unix)]
#[test]
fn locks_until_interrupted() {
    let folder = folder();
    let mut locking = folder.start(&["lock", "d/g", "--range", "..50"]);
    assert_eq!(locking.line(), "d/g: 50 bytes are locked\n");
    locking.interrupt();
    assert_eq!(locking.rest().has(0).text(), "");
    folder.run(&["lock", "missing"]).fails(&["missing: "]);
}

#[cfg(target_os = "linux")]
#[test]
fn locked_files_that_are_cut_are_told_of() {
    let folder = folder();
    let mut locking = folder.start(&["lock", "d/g"]);
    locking.line();
    folder.cut("d/g", 10);
    assert!(
        locking
            .message("truncated")
            .contains("d/g: the file was truncated: it has no bytes from offset 10 on")
    );
    locking.interrupt();
    locking.rest();
}

//! The same data give the same bytes, and the PNG is the picture.

use crate::every_kind;
use rekindle_plot as plot;
use resvg::tiny_skia::Pixmap;

#[test]
fn the_same_data_give_the_same_bytes_on_any_thread() {
    let draw = || every_kind().into_iter().map(|(_, plot)| plot.size(400, 300).draw()).collect::<Vec<_>>();
    let here = draw();
    let threads: Vec<_> = (0..3).map(|_| std::thread::spawn(draw)).collect();
    for thread in threads {
        assert!(thread.join().unwrap() == here);
    }
    for picture in here.iter().step_by(5) {
        assert!(picture.png() == picture.png());
    }
}

#[test]
fn a_png_has_the_stated_size_and_shows_something() {
    for (name, plot) in every_kind() {
        let picture = plot.draw();
        let pixels = Pixmap::decode_png(&picture.png()).unwrap();
        assert_eq!((pixels.width(), pixels.height()), picture.size(), "{name}");
        let white =
            pixels.pixels().iter().filter(|p| (p.red(), p.green(), p.blue()) == (255, 255, 255)).count();
        assert!(white < pixels.pixels().len() * 99 / 100, "{name} is empty");
        assert!(pixels.pixels().iter().all(|p| p.alpha() == 255), "{name} is not opaque");
    }
}

#[test]
fn a_document_needs_no_fonts_and_nothing_from_outside() {
    for (name, plot) in every_kind() {
        let svg = plot.draw().svg().to_owned();
        for word in ["<text", "font", "href", "<image", "<style", "url("] {
            assert!(!svg.contains(word), "{name} has {word}");
        }
        // Only the opacities have a fraction, and there are none in these pictures.
        assert!(!svg.lines().skip(2).any(|line| line.contains("NaN") || line.contains("inf ")), "{name}");
    }
}

#[test]
fn a_file_is_written_whole_or_not_at_all() {
    let folder = std::env::temp_dir().join(format!("rekindle-plot-test-{}", std::process::id()));
    let picture = plot::confusion_matrix(&[vec![1]]).draw();
    picture.save(folder.join("new/m.PNG")).unwrap();
    picture.save(folder.join("new/m.svg")).unwrap();
    assert_eq!(std::fs::read(folder.join("new/m.PNG")).unwrap(), picture.png());
    let said = picture.save(folder.join("m.jpeg")).unwrap_err().to_string();
    assert_eq!(said, "name it .png or .svg, not .jpeg");
    assert_eq!(picture.save(folder.join("m")).unwrap_err().to_string(), "name it .png or .svg");
    // A folder of that name is in the way.
    std::fs::create_dir(folder.join("taken.svg")).unwrap();
    let said = picture.save(folder.join("taken.svg")).unwrap_err().to_string();
    let cause = std::fs::rename(folder.join("new/m.svg"), folder.join("taken.svg")).unwrap_err();
    assert_eq!(said, cause.to_string(), "the cause alone, for the caller knows the path");
    let left: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|f| f.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "no temporary file is left: {left:?}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn threads_may_save_to_one_path_at_the_same_time() {
    let folder = std::env::temp_dir().join(format!("rekindle-plot-threads-{}", std::process::id()));
    let pictures: Vec<_> = (1..5).map(|n| plot::confusion_matrix(&vec![vec![n; 30]; 30]).draw()).collect();
    let path = folder.join("m.svg");
    std::thread::scope(|scope| {
        for picture in &pictures {
            scope.spawn(|| (0..50).for_each(|_| picture.save(&path).unwrap()));
        }
    });
    let saved = std::fs::read_to_string(&path).unwrap();
    assert!(pictures.iter().any(|picture| picture.svg() == saved));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    std::fs::remove_dir_all(folder).unwrap();
}

use super::*;
use std::fs;
use std::io::Write;

/// A data folder that is removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("rekindle-mnist-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, shape: &[u32], data: &[u8]) -> &Self {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut bytes = vec![0, 0, 8, shape.len() as u8];
        shape.iter().for_each(|size| bytes.extend(size.to_be_bytes()));
        bytes.extend(data);
        fs::write(path, bytes).unwrap();
        self
    }

    /// Three images of 1 x 2 for training.
    fn write_train(&self, folder: &str, labels: &[u8]) -> &Self {
        self.write(&format!("{folder}train-images-idx3-ubyte"), &[3, 1, 2], &[1, 2, 3, 4, 5, 6]);
        self.write(&format!("{folder}train-labels-idx1-ubyte"), &[labels.len() as u32], labels)
    }

    /// The line that reports why the training images cannot be read, without the folder.
    fn complaint(&self) -> String {
        let line = mnist(&self.0).train().unwrap_err().to_string();
        line.replace(&format!("{}/", self.0.display()), "").replace(&self.0.display().to_string(), "DIR")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_folder_may_be_ours_or_torchvisions_or_hold_the_files() {
    for inner in ["mnist/", "MNIST/raw/", ""] {
        let folder = Folder::new("layouts");
        let train = mnist(&folder.write_train(inner, &[7, 0, 1]).0).train().unwrap();
        assert_eq!((&train.images.shape[..], &train.labels[..]), (&[3, 1, 2][..], &[7, 0, 1][..]));
        assert_eq!(train.len(), 3);
    }
}

#[test]
fn tensors_hold_bytes_divided_by_255() {
    let folder = Folder::new("tensors");
    let bytes: Vec<u8> = (0..=255).collect();
    folder.write("train-images-idx3-ubyte", &[2, 8, 16], &bytes);
    folder.write("train-labels-idx1-ubyte", &[2], &[7, 0]);
    let (x, y) = mnist(&folder.0).train().unwrap().tensors();
    assert_eq!((x.shape(), y.to_vec::<i64>()), (&[2, 1, 8, 16][..], vec![7, 0]));
    let expected: Vec<f32> = (0..256).map(|byte| byte as f32 / 255.0).collect();
    assert_eq!(x.to_vec::<f32>(), expected);
}

#[test]
fn picked_classes_come_in_the_order_asked_for() {
    let folder = Folder::new("pick");
    let train = mnist(&folder.write_train("mnist/", &[1, 0, 1]).0).train().unwrap();
    let picked = train.pick(&[0, 1]);
    assert_eq!(picked.labels, [0, 1, 1]);
    assert_eq!(
        (&picked.images.shape[..], &picked.images.data[..]),
        (&[3, 1, 2][..], &[3, 4, 1, 2, 5, 6][..])
    );
    assert!(train.pick(&[7]).is_empty());
}

#[test]
#[should_panic(expected = "pick: class 10 is out of range; the classes are 0 to 9")]
fn a_class_that_does_not_exist_cannot_be_picked() {
    let folder = Folder::new("pick-10");
    mnist(&folder.write_train("mnist/", &[1, 0, 1]).0).train().unwrap().pick(&[10]);
}

#[test]
fn missing_files_are_named_with_the_places_searched() {
    assert_eq!(
        Folder::new("none").complaint(),
        "mnist: neither train-images-idx3-ubyte nor train-images-idx3-ubyte.gz is in DIR, mnist or MNIST/raw; \
         give the folder that holds mnist/, or none to download it"
    );
}

#[test]
fn differing_numbers_of_images_and_labels_are_reported() {
    let folder = Folder::new("counts");
    folder.write_train("", &[7, 0, 1, 2]);
    assert_eq!(
        folder.complaint(),
        "train-labels-idx1-ubyte: byte 4: 4 labels for the 3 images in train-images-idx3-ubyte; \
         take both files from the same place"
    );
}

#[test]
fn a_label_out_of_range_is_reported() {
    let folder = Folder::new("range");
    folder.write_train("", &[7, 0, 10]);
    assert_eq!(
        folder.complaint(),
        "train-labels-idx1-ubyte: byte 10: label 2 of 3 is 10, expected 0 to 9; copy or download the file again"
    );
}

#[test]
fn labels_in_place_of_images_are_reported() {
    let folder = Folder::new("rank");
    folder.write_train("", &[7, 0, 1]).write("train-images-idx3-ubyte", &[3], &[7, 0, 1]);
    assert_eq!(
        folder.complaint(),
        "train-images-idx3-ubyte: byte 3: rank 1, expected 3 (images, rows and columns); is this the right file?"
    );
}

#[test]
#[cfg(feature = "download")]
fn a_damaged_file_in_the_cache_is_moved_aside_and_fetched_again() {
    let cache = Folder::new("damaged");
    cache.write_train("mnist/", &[7, 0, 10]);
    // Nobody listens there, so that fetching is seen by its failure.
    let root = Root::from_env().with_cache(&cache.0).with_mirror("http://127.0.0.1:1").quietly();
    let e = mnist(root).train().unwrap_err();
    assert!(matches!(&e, Error::Download { url, .. } if url.ends_with("train-images-idx3-ubyte.gz")), "{e}");
    for name in ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"] {
        let path = cache.0.join("mnist").join(name);
        assert!(!path.exists() && path.with_extension("damaged").exists(), "{name}");
    }
}

#[test]
fn a_damaged_file_of_the_user_stays_where_it_is() {
    let folder = Folder::new("kept");
    folder.write_train("", &[7, 0, 10]).complaint();
    assert!(folder.0.join("train-labels-idx1-ubyte").exists());
}

/// Every published file, where the real sets are at hand (`REKINDLE_DATA` names their folder).
#[test]
fn published_files_have_their_checksums() {
    let Some(root) = env::var_os("REKINDLE_DATA") else {
        _ = writeln!(
            std::io::stderr(),
            "NOT TESTED: set REKINDLE_DATA to the folder that holds mnist/ and fashion-mnist/, and run again"
        );
        return;
    };
    for source in [mnist(&root), fashion_mnist(&root)] {
        for (files, split) in [(&source.set.train, source.train()), (&source.set.test, source.test())] {
            let split = split.unwrap();
            assert_eq!(split.images.md5(), files[0].md5);
            assert_eq!(split.images.data.len() as u64 + 16, files[0].size);
            assert_eq!(split.len() as u64 + 8, files[1].size);
        }
    }
    assert_eq!(mnist(&root).train().unwrap().pick(&[0, 1]).len(), 12_665);
    let wrong = mnist(&Path::new(&root).join("fashion-mnist")).test().unwrap_err().to_string();
    assert!(wrong.ends_with(
        "byte 8: these are the labels of fashion-mnist, not of mnist; give the folder of the other set"
    ));
}

//! Models whose weights stay on disk until they are used: the same outputs, and errors for changed files.

use harness::cases::all_cases;
use harness::small::{Small, check_error, two_to_one};
use io_harness::fault_server::{FaultServer, Reply};
use std::fs;
use tfjs::{Engine, Input, Kind, LayersModel, LoadOptions, Result};

fn in_folder(model: &Small) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder for the test");
    fs::write(folder.path().join("model.json"), model.text()).expect("it can be written");
    for (name, bytes) in &model.files {
        fs::write(folder.path().join(name), bytes).expect("it can be written");
    }
    folder
}

fn load(folder: &tempfile::TempDir, engine: Engine) -> Result<LayersModel> {
    let options = LoadOptions::new().with_lazy(true).with_engine(engine);
    tfjs::blocking::load_layers_model(folder.path().to_str().expect("a plain path"), options)
}

fn predict(model: &LayersModel) -> Result<Vec<Vec<f32>>> {
    let output = model.predict(Input::new([10.0, 100.0], [1, 2])?)?.into_single()?;
    Ok(output.to_vec2().expect("a matrix of floats"))
}

#[test]
fn the_numbers_are_those_of_a_whole_load_on_both_engines() {
    let folder = in_folder(&two_to_one());
    for engine in [Engine::Native, Engine::Candle] {
        let model = load(&folder, engine).unwrap();
        assert_eq!(predict(&model).unwrap(), [[321.0]]);
        let whole = tfjs::blocking::load_layers_model(folder.path().to_str().unwrap(), LoadOptions::new()).unwrap();
        for (name, _) in whole.weights().iter() {
            let values =
                |model: &LayersModel| model.weight(name).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert_eq!(values(&model), values(&whole), "{name}");
        }
    }
}

#[test]
fn weights_of_several_tensors_are_put_together_when_they_are_read() {
    for id in ["keras1/lstm_cpu_theano", "keras1/convolution2d_th_valid_theano", "keras1/bidirectional_gru"] {
        let case = all_cases().into_iter().find(|case| case.id == id).expect("a case of this name");
        let model = case.folder.join("model.json");
        let load = |lazy| {
            let options = LoadOptions::new().with_lazy(lazy);
            tfjs::blocking::load_layers_model(model.to_str().expect("a plain path"), options).unwrap()
        };
        let (lazy, whole) = (load(true), load(false));
        for (name, shape) in whole.weights().iter() {
            let values =
                |model: &LayersModel| model.weight(name).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert_eq!(values(&lazy), values(&whole), "{name}");
            assert_eq!(lazy.weight(name).unwrap().dims(), shape.dims(), "{name}");
        }
    }
}

#[test]
fn nothing_is_read_before_it_is_wanted() {
    let folder = in_folder(&two_to_one());
    let model = load(&folder, Engine::Native).unwrap();
    // Written in place: the open file is the same, but its bytes are not.
    let mut bytes = two_to_one().files[0].1.clone();
    let time = fs::metadata(folder.path().join("w.bin")).unwrap().modified().unwrap();
    bytes.iter_mut().for_each(|b| *b = 0);
    fs::write(folder.path().join("w.bin"), bytes).unwrap();
    fs::File::options().write(true).open(folder.path().join("w.bin")).unwrap().set_modified(time).unwrap();
    assert_eq!(predict(&model).unwrap(), [[0.0]]);
}

#[test]
fn a_file_that_changed_since_is_an_error_that_names_it() {
    for engine in [Engine::Native, Engine::Candle] {
        let folder = in_folder(&two_to_one());
        let path = folder.path().join("w.bin");
        let model = load(&folder, engine).unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_len(5).unwrap();
        check_error(predict(&model), Kind::Mismatch, "w.bin", "changed");
        let error = predict(&model).unwrap_err();
        assert!(error.place().file.as_deref().is_some_and(|file| file.ends_with("w.bin")), "{error:?}");

        let folder = in_folder(&two_to_one());
        let path = folder.path().join("w.bin");
        let model = load(&folder, engine).unwrap();
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(60);
        fs::File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
        check_error(predict(&model), Kind::Mismatch, "w.bin", "changed");
    }
}

#[test]
fn what_was_read_once_is_not_read_again() {
    let folder = in_folder(&two_to_one());
    let model = load(&folder, Engine::Candle).unwrap();
    assert_eq!(predict(&model).unwrap(), [[321.0]]);
    fs::remove_file(folder.path().join("w.bin")).unwrap();
    assert_eq!(predict(&model).unwrap(), [[321.0]]);
}

#[test]
fn lengths_are_checked_when_the_model_is_loaded() {
    let mut short = two_to_one();
    short.files[0].1.pop();
    check_error(load(&in_folder(&short), Engine::Native), Kind::Mismatch, "w.bin", "1 bytes short");
    let mut long = two_to_one();
    long.files[0].1.push(0);
    check_error(load(&in_folder(&long), Engine::Native), Kind::Mismatch, "w.bin", "at most");
}

#[tokio::test]
async fn weights_that_only_stream_cannot_be_lazy() {
    let model = two_to_one();
    let (json, weights) = (model.text(), model.files[0].1.clone());
    let server = FaultServer::start(move |request| match request.target.ends_with("json") {
        true => Reply::ok(&json),
        false => Reply::ok(&weights),
    })
    .await;
    let options = LoadOptions::new().with_lazy(true);
    let result = tfjs::load_layers_model(server.url("/model.json"), options).await;
    check_error(result, Kind::Unsupported, "w.bin", "lazy loading needs files on disk");
}

//! Gather, its transpose, one-hot rows, vocabularies, random numbers.

use super::*;
use tfjs_ir::prim::host::{Lookup, Spread, ToText, Tokens, Unknown, Vocabulary};
use tfjs_ir::prim::index::Bounds;
use tfjs_ir::prim::source::{Distribution, Random};
use tfjs_manifest::Kind;

#[test]
fn rows_of_tables() {
    let tables = [some(&[3, 2, 4]), of_ints(ElementType::I64, &[3, 2, 1], &[1, 2, 3, 4, 5, 6])];
    for table in tables {
        for axis in 0..3 {
            let ids = ints(&[2, 2], &[0, -1, 7, 1]);
            check(&[table.clone(), ids], |b, v| {
                let rows = b.gather(v[0], v[1], axis, Bounds::Clamp)?;
                Ok(vec![rows, b.scatter_add(v[0], v[1], rows, axis)?])
            });
        }
        let ids = of_ints(ElementType::U8, &[], &[2]);
        check(&[table, ids], |b, v| Ok(vec![b.gather(v[0], v[1], 0, Bounds::Error)?]));
    }
    check(&[words(&["a", "b"]), ints(&[3], &[1, 1, 0])], |b, v| Ok(vec![b.gather(v[0], v[1], 0, Bounds::Error)?]));
}

#[test]
fn no_indices_no_rows() {
    check(&[some(&[3, 2]), ints(&[2, 0], &[]), floats(&[0, 2], &[])], |b, v| {
        let rows = b.gather(v[0], v[1], 0, Bounds::Error)?;
        let none = b.gather(v[2], v[1], 0, Bounds::Error)?;
        Ok(vec![rows, none, b.scatter_add(v[0], v[1], rows, 0)?, b.scatter_add(v[2], v[1], none, 0)?])
    });
}

#[test]
fn an_index_outside_of_a_table_is_named() {
    for (id, table) in [(3, some(&[3, 2])), (-1, some(&[3, 2])), (0, floats(&[0, 2], &[])), (5, floats(&[3, 0], &[]))] {
        let error =
            check_error(&[table, ints(&[2], &[0, id])], |b, v| Ok(vec![b.gather(v[0], v[1], 0, Bounds::Error)?]));
        assert_eq!(error.kind(), Kind::Mismatch);
        assert!(error.to_string().contains("layer"), "{error}");
    }
}

#[test]
fn one_hot_rows() {
    for ids in [ints(&[2, 2], &[0, 2, -1, 3]), of_ints(ElementType::U8, &[3], &[200, 1, 0]), ints(&[0], &[])] {
        check(&[ids], |b, v| {
            let (three, many) = (b.number(3), b.number(300));
            let mut out = vec![b.one_hot(v[0], Dim::ZERO, ElementType::F32)?];
            for element in [ElementType::F32, ElementType::I32, ElementType::Bool, ElementType::U8] {
                out.extend([b.one_hot(v[0], three, element)?, b.one_hot(v[0], many, element)?]);
            }
            Ok(out)
        });
    }
}

#[test]
fn vocabularies() {
    let text = Arc::new(Vocabulary::new(Tokens::Text(vec!["a".into(), "b".into()]), 2));
    let numbers = Arc::new(Vocabulary::new(Tokens::Numbers(vec![10, 20]), 1));
    let lookup = |vocabulary: &Arc<Vocabulary>, unknown| Lookup {
        vocabulary: vocabulary.clone(),
        unknown,
        mask_text: Some("".into()),
        mask_number: Some(0),
        masked: 0,
    };
    let some = |spread| Unknown::Index { first: 1, count: 3, spread };
    check(&[words(&["b", "", "z", "a"]), ints(&[2, 2], &[20, 0, -7, 10])], |b, v| {
        let of_text = b.one(lookup(&text, some(Spread::Farm)), &[v[0]])?;
        let of_numbers = b.one(lookup(&numbers, some(Spread::Modulo)), &[v[1]])?;
        let back = b.one(ToText { vocabulary: text.clone(), unknown: Some(0) }, &[of_text])?;
        Ok(vec![of_text, of_numbers, back])
    });
    let error = check_error(&[words(&["z"])], |b, v| Ok(vec![b.one(lookup(&text, Unknown::Error), &[v[0]])?]));
    assert_eq!(error.kind(), Kind::Mismatch);
}

#[test]
fn random_numbers_are_the_same_bits() {
    check_within(0.0, &[], |b, _| {
        let seed = b.seed()?;
        let dims = [2, 3].map(|n| b.number(n));
        let mut out = Vec::new();
        for (distribution, stream) in [(Distribution::Uniform, 1), (Distribution::Normal, 2)] {
            out.push(b.one(Random { distribution, dims: dims.to_vec(), stream }, &[seed])?);
        }
        Ok(out)
    });
}

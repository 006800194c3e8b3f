//! Rearrangements of every element type.

use super::*;
use tfjs_ir::prim::layout::{Padding, Range};

fn of_every_type(dims: &[usize]) -> Vec<Array> {
    let count: usize = dims.iter().product();
    let numbers: Vec<i64> = (0..count as i64).collect();
    let text = numbers.iter().map(|n| n.to_string().into()).collect();
    vec![
        some(dims),
        ints(dims, &numbers),
        of_ints(ElementType::I64, dims, &numbers),
        of_ints(ElementType::U8, dims, &numbers),
        bools(dims, &numbers.iter().map(|n| n % 3 == 0).collect::<Vec<_>>()),
        Array::new(ElementType::String, dims, Elements::Text(text)).unwrap(),
    ]
}

#[test]
fn the_same_elements_elsewhere() {
    for x in of_every_type(&[2, 3, 2]) {
        check(&[x], |b, v| {
            let [two, three, four, five] = [2, 3, 4, 5].map(|n| b.number(n));
            let flat = b.reshape(v[0], &[three, four])?;
            let turned = b.transpose(v[0], &[2, 0, 1])?;
            let again = b.reshape(turned, &[four, three])?;
            let spread = b.broadcast(flat, &[three, two, four, five], &[0, 2])?;
            let reversed = b.reverse(turned, &[0, 2])?;
            let joined = b.concat(&[v[0], v[0]], 1)?;
            let front = b.concat(&[turned, turned, turned], 0)?;
            Ok(vec![flat, turned, again, spread, reversed, joined, front])
        });
    }
}

#[test]
fn slices_with_steps() {
    for x in of_every_type(&[7, 4]) {
        for (start, len, step) in [(0, 7, 1), (1, 3, 2), (0, 3, 3), (2, 2, 4), (6, 1, 1 << 40), (3, 0, 2), (7, 0, 1)] {
            check(std::slice::from_ref(&x), |b, v| {
                let range = Range { start: b.number(start), len: b.number(len), step };
                let [one, two] = [1, 2].map(|n| b.number(n));
                let both = b.slice(v[0], &[range, Range { start: one, len: two, step: 2 }])?;
                Ok(vec![b.slice_axis(v[0], 0, range)?, both])
            });
        }
    }
}

#[test]
fn padding_around_and_between() {
    for x in of_every_type(&[2, 3]) {
        for (low, high, interior) in [(1, 0, 0), (0, 2, 1), (2, 1, 2), (0, 0, 3)] {
            check(std::slice::from_ref(&x), |b, v| {
                let padding = Padding { low: b.number(low), high: b.number(high), interior };
                Ok(vec![b.pad(v[0], &[padding, Padding::NONE], 1.0)?, b.pad(v[0], &[padding, padding], 0.0)?])
            });
        }
    }
    check(&[floats(&[0, 2], &[]), floats(&[1, 1], &[5.0])], |b, v| {
        let padding = Padding { low: b.number(1), high: b.number(1), interior: 1 << 40 };
        Ok(vec![b.pad(v[0], &[padding, Padding::NONE], 2.5)?, b.pad(v[1], &[padding, padding], -INF)?])
    });
}

#[test]
fn empty_parts_are_joined() {
    check(&[some(&[2, 3]), floats(&[2, 0], &[]), floats(&[0, 3], &[])], |b, v| {
        let columns = b.concat(&[v[1], v[0], v[1]], 1)?;
        let rows = b.concat(&[v[2], v[2], v[0]], 0)?;
        let none = b.concat(&[v[1], v[1]], 1)?;
        let zero = Dim::ZERO;
        let five = b.number(5);
        let reversed = b.reverse(v[2], &[0, 1])?;
        Ok(vec![columns, rows, none, b.reshape(v[1], &[five, zero])?, reversed, b.transpose(v[1], &[1, 0])?])
    });
}

#[test]
fn counters_sizes_and_constants() {
    check(&[some(&[2, 3])], |b, v| {
        let dims = b.dims_of(v[0]);
        let mut out = Vec::new();
        for element in [ElementType::F32, ElementType::I32, ElementType::I64, ElementType::U8] {
            out.push(b.iota(0, &dims, element)?);
            out.push(b.iota(1, &dims, element)?);
            if element.is_integer() {
                out.push(b.sizes(&dims, element)?);
                out.push(b.size(dims[1], element)?);
            }
            out.push(b.full(element, &dims, 3.0)?);
        }
        out.push(b.constant(words(&["a", "b"]))?);
        Ok(out)
    });
}

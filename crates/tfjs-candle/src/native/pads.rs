//! A pass: zeros around the operand of a convolution become padding of its windows.

use super::rewrite::rewrite;
use tfjs_ir::prim::layout::{Pad, Padding};
use tfjs_ir::prim::linear::Conv;
use tfjs_ir::window::{Padding as WindowPadding, Window};
use tfjs_ir::{Dim, Prim, Program};
use tfjs_manifest::Result;

/// Rewrites `conv(pad(x))`.
///
/// # Errors
/// None for a program that is well formed.
pub(super) fn fold_pads(program: &Program) -> Result<Program> {
    rewrite(program, &mut |b, node, operands| {
        let (Prim::Conv(conv), &[x, kernel]) = (&node.prim, operands) else { return Ok(None) };
        let Some(from) = b.block().node_of(x) else { return Ok(None) };
        let (Prim::Pad(pad), &[inner]) = (&from.prim, &from.operands[..]) else { return Ok(None) };
        let known = |dim: Dim| b.program().dims.known(dim).and_then(|n| usize::try_from(n).ok());
        let Some(windows) = folded(conv, pad, known) else { return Ok(None) };
        b.conv(inner, kernel, &windows, conv.groups).map(|result| Some(vec![result]))
    })
}

/// The windows that see the zeros themselves.
fn folded(conv: &Conv, pad: &Pad, known: impl Fn(Dim) -> Option<usize>) -> Option<Vec<Window>> {
    let [batch, spatial @ .., channels] = &pad.padding[..] else { return None };
    if [batch, channels].into_iter().any(|padding| *padding != Padding::NONE) || pad.value != 0.0 {
        return None;
    }
    let each = conv.windows.iter().zip(spatial).map(|(window, padding)| {
        let (own_before, own_after) = match window.padding {
            WindowPadding::Valid => (0, 0),
            WindowPadding::Exact { before, after } => (before, after),
            // Their zeros depend on the length of the padded axis.
            WindowPadding::Same | WindowPadding::Causal => return None,
        };
        let before = known(padding.low)?.checked_add(own_before)?;
        let after = known(padding.high)?.checked_add(own_after)?;
        let padding = (padding.interior == 0).then_some(WindowPadding::Exact { before, after })?;
        Window::new(window.size, window.stride, window.dilation, padding).ok()
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(padding: &str, window: &str, expected: &str) {
        let text = format!(
            "input \"x\": f32[n,h,8,3]\nslot slot0 \"k\": f32[3,3,3,4]\n{{\n  %0 = input() {{port=0}} : f32[n,h,8,3]\n  \
             %1 = pad(%0) {{padding=[0|0|0,{padding},{padding},0|0|0], value=0.0}} : f32[n,h+2,10,3]\n  \
             %2 = param() {{slot=slot0}} : f32[3,3,3,4]\n  \
             %3 = conv(%1, %2) {{windows=[({window}),({window})], groups=1}} : f32[n,h,8,4]\n  return %3 \"y\"\n}}"
        );
        let program: Program = text.parse().unwrap();
        let folded = fold_pads(&program).unwrap();
        tfjs_ir::verify::verify(&folded).unwrap();
        let windows = folded.body.nodes.iter().find_map(|node| match &node.prim {
            Prim::Conv(conv) => Some(conv.windows[0].to_string()),
            _ => None,
        });
        assert_eq!(windows.as_deref(), Some(expected));
    }

    #[test]
    fn zeros_around_an_image_become_padding() {
        check("1|1|0", "3:valid", "3:1,1");
        check("1|1|0", "3:0,0", "3:1,1");
    }
}

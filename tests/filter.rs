//! The language of the tree's filter: what is understood, what is refused and where, and that whatever is written out
//! is understood as the same again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot set itself up should stop"
)]

use proptest::prelude::*;
use tritscope::tui::state::filter::expr::{Expr, NameTest, Op, Term, Test, TypeOf};
use tritscope::tui::state::filter::keys::{Figure, Flag};
use tritscope::tui::state::filter::parse::parse;

/// The filter as it is understood, written out.
fn read(text: &str) -> String {
    parse(text).unwrap_or_else(|p| panic!("{text}: {} at {:?}", p.message, p.at)).unwrap().to_string()
}

/// The part of the text that is wrong, and why.
fn wrong(text: &str) -> (&str, String) {
    let problem = parse(text).expect_err(text);
    (&text[problem.at], problem.message)
}

#[test]
fn terms_of_every_kind_are_understood() {
    for (text, written) in [
        ("ffn", "ffn"),
        ("  ffn   up ", "ffn up"),
        ("type:F16,q8_0", "type:f16,q8_0"),
        ("type=bf16", "type:bf16"),
        ("type!=bf16", "not type:bf16"),
        ("from:f16 to:tq2", "from:f16 to:tq2"),
        ("role:expert", "role:expert"),
        ("method:twn", "method:twn"),
        ("is:ternary,kept", "is:ternary,kept"),
        ("changed", "is:changed"),
        ("\"changed\"", "\"changed\""),
        ("layer:4..12", "layer=4..12"),
        ("layer:..3,7", "layer=..3,7"),
        ("LAYER >= 4", "layer>=4"),
        ("sqnr<7", "sqnr<7"),
        ("err>1e-3", "rel_mse>0.001"),
        ("size>10M", "size>10485760"),
        ("size>10MiB", "size>10485760"),
        ("params>10M", "params>10000000"),
        ("cols%256!=0", "cols%256!=0"),
        ("cols % 256 = 64", "cols%256=64"),
        ("name:ffn", "name:ffn"),
        ("name:blk.*.ffn_*", "name:blk.*.ffn_*"),
        ("name:re:^blk\\.(0|1)\\.", "name:\"re:^blk\\\\.(0|1)\\\\.\""),
        ("re:^blk", "name:re:^blk"),
        ("blk.*.ffn", "name:*blk.*.ffn*"),
        ("\"two words\"", "\"two words\""),
    ] {
        assert_eq!(read(text), written, "{text}");
        assert_eq!(read(written), written, "{text}");
    }
}

#[test]
fn operators_bind_not_before_and_before_or() {
    for (text, written) in [
        ("a b or c", "a b or c"),
        ("a and (b or c)", "a (b or c)"),
        ("not a b", "not a b"),
        ("-a !b", "not a not b"),
        ("-(a or b)", "not (a or b)"),
        ("a && b || c", "a b or c"),
        ("a AND b OR NOT c", "a b or not c"),
        ("not not a", "not not a"),
        ("((a))", "a"),
        ("type:f16 and not role:router or layer:0", "type:f16 not role:router or layer=0"),
    ] {
        assert_eq!(read(text), written, "{text}");
    }
    assert_eq!(parse("   "), Ok(None));
}

#[test]
fn what_is_wrong_is_pointed_at() {
    for (text, part, word) in [
        ("ffn foo:1", "foo", "no key"),
        ("layr<4", "layr", "no key"),
        ("type:", "", "missing"),
        ("type:f16,zz", "zz", "no type"),
        ("role:nothing", "nothing", "no role"),
        ("is:tern", "tern", "protected"),
        ("sqnr<x", "x", "no number"),
        ("sqnr<", "", "missing"),
        ("sqnr", "", "sqnr<7"),
        ("layer:12..4", "12..4", "greater"),
        ("cols%0=1", "0", "remainder"),
        ("cols%256", "", "compare the remainder"),
        ("a and", "", "behind and"),
        ("or b", "or", "before or"),
        ("a (b", "(", "not closed"),
        ("a b)", ")", "no ( is open"),
        ("a -", "", "behind -"),
        ("()", "", "behind ("),
        ("\"abc", "\"", "not closed"),
        ("name:re:(", "re:(", "unclosed group"),
        ("name:[a", "[a", "glob"),
        ("type<4", "type", "no number"),
    ] {
        let (at, message) = wrong(text);
        assert_eq!(at, part, "{text}: {message}");
        assert!(message.contains(word), "{text}: {message}");
    }
    assert!(wrong(&"(".repeat(100_000)).1.contains("too many"));
    assert!(wrong(&"-".repeat(100_000)).1.contains("too many"));
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9_.]{1,12}", "[ -~]{1,12}", "\\PC{1,6}"].prop_filter("not only spaces", |s| !s.trim().is_empty())
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![(0u32..100).prop_map(f64::from), -1e9f64..1e9, Just(0.001), Just(1e18)]
}

fn range() -> impl Strategy<Value = (f64, f64)> {
    prop_oneof![
        number().prop_map(|n| (n, n)),
        (number(), number()).prop_map(|(a, b)| (a.min(b), a.max(b))),
        number().prop_map(|n| (n, f64::INFINITY)),
        number().prop_map(|n| (f64::NEG_INFINITY, n)),
    ]
}

fn test() -> impl Strategy<Value = Test> {
    let op = prop::sample::select(vec![Op::Less, Op::AtMost, Op::Greater, Op::AtLeast, Op::Not]);
    prop_oneof![
        (op, number()).prop_map(|(op, bound)| Test::Op(op, bound)),
        prop::collection::vec(range(), 1..4).prop_map(Test::Within),
    ]
}

fn some(of: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(prop::sample::select(of.to_vec()).prop_map(str::to_owned), 1..4)
}

fn term() -> impl Strategy<Value = Term> {
    let part = text().prop_filter("a part", |s| !s.starts_with("re:") && !s.contains(['*', '?', '[', ']', '{', '}']));
    let figure = prop::sample::select(Figure::ALL.map(|(figure, _)| figure).to_vec());
    let flag = prop::sample::select(Flag::ALL.map(|(flag, _)| flag).to_vec());
    let which = prop::sample::select(vec![TypeOf::Any, TypeOf::Source, TypeOf::Output]);
    prop_oneof![
        text().prop_map(Term::Word),
        part.prop_map(|s| Term::Name(NameTest::Part(s))),
        "[a-z.( \"]{0,6}[*][a-z?.]{0,6}".prop_map(|s| Term::Name(NameTest::Glob(s))),
        "\\^[a-z.\\\\ ]{0,3}[(]a[|]b[)]\\$?"
            .prop_filter("a regex", |s| regex::Regex::new(s).is_ok())
            .prop_map(|s| Term::Name(NameTest::Regex(s))),
        (which, some(&["f16", "q8_0", "tq", "bf"])).prop_map(|(of, names)| Term::Type(of, names)),
        some(&["expert", "attn", "router", "ffn_up"]).prop_map(Term::Role),
        some(&["exact", "tw"]).prop_map(Term::Method),
        prop::collection::vec(flag, 1..3).prop_map(Term::Is),
        (figure, prop::option::of(1u64..1000), test()).prop_map(|(f, m, t)| Term::Number(f, m, t)),
    ]
}

fn expr() -> impl Strategy<Value = Expr> {
    term().prop_map(Expr::Term).prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expr::And),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expr::Or),
            inner.prop_map(|e| Expr::Not(Box::new(e))),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_out_reads_as_the_same(expr in expr()) {
        let written = expr.to_string();
        let again = parse(&written);
        prop_assert_eq!(again.as_ref().map(Option::as_ref), Ok(Some(&expr)), "{}", written);
    }

    #[test]
    fn no_text_panics_and_a_problem_lies_in_it(text in "\\PC{0,40}") {
        if let Err(problem) = parse(&text) {
            prop_assert!(text.get(problem.at.clone()).is_some(), "{:?} of {:?}", problem.at, text);
            prop_assert!(!problem.message.is_empty());
        }
    }

    #[test]
    fn neither_do_texts_of_the_languages_own_words(
        words in prop::collection::vec(prop::sample::select(vec![
            "and", "or", "not", "(", ")", "-", "!", "\"", "\\", "type:", "f16", "layer", ":", "4", "..", "<", ">=", "%",
            "256", "!=", "=", "0", ",", " ", "name:", "re:", "*", "[", "a", "changed", "is:", "ö", "10M",
        ]), 0..14)
    ) {
        let text = words.concat();
        match parse(&text) {
            Err(problem) => prop_assert!(text.get(problem.at.clone()).is_some(), "{:?} of {:?}", problem.at, text),
            Ok(Some(expr)) => {
                let again = parse(&expr.to_string());
                prop_assert_eq!(again, Ok(Some(expr)), "{}", text);
            }
            Ok(None) => prop_assert!(text.trim().is_empty()),
        }
    }
}

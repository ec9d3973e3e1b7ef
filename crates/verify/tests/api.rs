//! What strangers can name: every public signature stands in `api.txt`, so that none changes unnoticed.
//!
//! `WRITE_API=1 cargo test -p symbolon-verify --test api` writes the file anew; review it like code.

#![expect(clippy::unwrap_used, reason = "the tests' helpers unwrap as the tests do")]
#![expect(clippy::disallowed_methods, reason = "whether to write the listing is asked for by hand")]
#![expect(clippy::wildcard_enum_match_arm, reason = "syn's kinds of syntax are many, and grow")]

use quote::ToTokens;
use std::fs;
use std::path::{Path, PathBuf};
use syn::{Fields, ImplItem, Item, ItemImpl, Visibility};

const LISTING: &str = "api.txt";

#[test]
fn every_public_signature_is_one_that_was_reviewed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut lines = Vec::new();
    file(&root.join("src/lib.rs"), &mut lines);
    lines.sort();
    lines.dedup();
    let now = lines.join("\n") + "\n";
    let listing = root.join(LISTING);
    if std::env::var_os("WRITE_API").is_some() {
        fs::write(&listing, &now).unwrap();
    }
    let reviewed = fs::read_to_string(&listing).unwrap_or_default();
    let (old, new): (Vec<_>, Vec<_>) = (reviewed.lines().collect(), now.lines().collect());
    let gone: Vec<_> = old.iter().filter(|line| !new.contains(line)).collect();
    let come: Vec<_> = new.iter().filter(|line| !old.contains(line)).collect();
    assert!(
        gone.is_empty() && come.is_empty(),
        "public signatures changed; if that is meant, run WRITE_API=1 cargo test -p symbolon-verify \
         --test api\ngone: {gone:#?}\ncome: {come:#?}"
    );
}

/// The items of a file and of the modules that it declares.
fn file(path: &Path, lines: &mut Vec<String>) {
    let text = fs::read_to_string(path).unwrap();
    for item in syn::parse_file(&text).unwrap().items {
        if let Item::Mod(module) = &item {
            // What is hidden from the manual is no stranger's.
            let hidden = module.attrs.iter().any(|attr| {
                attr.to_token_stream().to_string().replace(' ', "") == "#[doc(hidden)]"
            });
            if module.content.is_none() && !hidden {
                file(&place_of(path, &module.ident.to_string()), lines);
            }
            continue;
        }
        listed(item, lines);
    }
}

fn place_of(parent: &Path, module: &str) -> PathBuf {
    let own = parent.file_stem().unwrap().to_str().unwrap();
    let mut folder = parent.parent().unwrap().to_path_buf();
    if !["lib", "mod"].contains(&own) {
        folder.push(own);
    }
    let flat = folder.join(format!("{module}.rs"));
    if flat.exists() { flat } else { folder.join(module).join("mod.rs") }
}

/// The lines of an item that strangers can name. The lint `unreachable_pub` sees to it that `pub` means that.
fn listed(item: Item, lines: &mut Vec<String>) {
    match item {
        Item::Fn(item) if is_pub(&item.vis) => lines.push(text(&item.sig)),
        Item::Const(item) if is_pub(&item.vis) => {
            lines.push(format!("const {}: {}", item.ident, text(&item.ty)));
        }
        Item::Type(item) if is_pub(&item.vis) => {
            lines.push(format!("type {} = {}", item.ident, text(&item.ty)));
        }
        Item::Struct(item) if is_pub(&item.vis) => {
            let name = format!("struct {}{}", item.ident, text(&item.generics));
            fields(&name, &item.fields, lines);
            lines.push(name);
        }
        Item::Enum(item) if is_pub(&item.vis) => {
            let name = format!("enum {}", item.ident);
            for variant in &item.variants {
                lines.push(format!("{name}: {}{}", variant.ident, shape(&variant.fields)));
            }
            lines.push(name);
        }
        Item::Trait(item) if is_pub(&item.vis) => {
            lines.push(format!("trait {}", item.ident));
            lines.extend(
                item.items.iter().map(|one| format!("trait {}: {}", item.ident, text(one))),
            );
        }
        Item::Use(item) if is_pub(&item.vis) => lines.push(format!("use {}", text(&item.tree))),
        Item::Impl(item) => implemented(&item, lines),
        _ => {}
    }
}

fn implemented(item: &ItemImpl, lines: &mut Vec<String>) {
    let (generics, owner) = (text(&item.generics), text(&item.self_ty));
    if let Some((_, of, _)) = &item.trait_ {
        lines.push(format!("impl{generics} {} for {owner}", text(of)));
        return;
    }
    for member in &item.items {
        match member {
            ImplItem::Fn(one) if is_pub(&one.vis) => {
                lines.push(format!("{owner}: {}", text(&one.sig)));
            }
            ImplItem::Const(one) if is_pub(&one.vis) => {
                lines.push(format!("{owner}: const {}: {}", one.ident, text(&one.ty)));
            }
            _ => {}
        }
    }
}

fn fields(owner: &str, fields: &Fields, lines: &mut Vec<String>) {
    for field in fields.iter().filter(|field| is_pub(&field.vis)) {
        let name = field.ident.as_ref().map(ToString::to_string).unwrap_or_default();
        lines.push(format!("{owner}: {name}: {}", text(&field.ty)));
    }
}

/// What a variant holds.
fn shape(fields: &Fields) -> String {
    let of = |field: &syn::Field| match &field.ident {
        Some(name) => format!("{name}: {}", text(&field.ty)),
        None => text(&field.ty),
    };
    let all: Vec<_> = fields.iter().map(of).collect();
    match fields {
        Fields::Named(_) => format!(" {{ {} }}", all.join(", ")),
        Fields::Unnamed(_) => format!("({})", all.join(", ")),
        Fields::Unit => String::new(),
    }
}

fn is_pub(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// The text of a piece of syntax, spaced as a person would.
fn text(piece: &impl ToTokens) -> String {
    let mut text = piece.to_token_stream().to_string();
    for (from, to) in [
        (" :: ", "::"),
        (" < ", "<"),
        (" >", ">"),
        ("< ", "<"),
        (" <", "<"),
        ("& ", "&"),
        (" ,", ","),
        (" (", "("),
        ("( ", "("),
        (" )", ")"),
        (" :", ":"),
        (" ;", ";"),
    ] {
        text = text.replace(from, to);
    }
    text
}

//! From the document to a page of HTML.

use super::kind::kind;
use super::words::Words;
use serde_json::Value;

const METHODS: [&str; 6] = ["get", "post", "put", "delete", "patch", "options"];

/// The whole page.
pub(super) fn page(document: &Value, words: &Words, style: &str) -> String {
    let tags: Vec<_> = items(&document["tags"]).map(|tag| Chapter::of(document, tag)).collect();
    let chapters: Vec<_> = tags.iter().map(|chapter| chapter.html(words)).collect();
    let links: Vec<_> = tags.iter().map(Chapter::links).collect();
    let (other, other_name) = words.other;
    format!(
        "<!DOCTYPE html>\n<html lang=\"{html_lang}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title}</title><style>{style}</style></head>\n<body><nav>\
         <p><a href=\"/docs?lang={other}\">{other_name}</a></p>{links}\
         <p><a href=\"#schemas\">{schemas}</a></p></nav>\n<main><h1>{title}</h1>{about}\
         <p><a href=\"/openapi.json\">{document_link}</a></p>{chapters}\
         <section id=\"schemas\"><h2>{schemas}</h2>{all}</section></main></body></html>\n",
        html_lang = words.html_lang,
        title = words.title,
        schemas = words.schemas,
        document_link = words.document,
        about = paragraphs(text(&document["info"]["description"])),
        links = links.concat(),
        chapters = chapters.concat(),
        all = schemas(&document["components"]["schemas"], words),
    )
}

/// The calls of one tag.
struct Chapter<'a> {
    document: &'a Value,
    name: &'a str,
    about: &'a str,
    calls: Vec<(&'a str, &'a str, &'a Value)>,
}

impl<'a> Chapter<'a> {
    fn of(document: &'a Value, tag: &'a Value) -> Self {
        let name = text(&tag["name"]);
        let paths = document["paths"].as_object().into_iter().flatten();
        let calls = paths.flat_map(|(path, methods)| {
            METHODS.map(|method| (path.as_str(), method, &methods[method]))
        });
        let calls = calls.filter(|(_, _, call)| text(&call["tags"][0]) == name).collect();
        Self { document, name, about: text(&tag["description"]), calls }
    }

    fn links(&self) -> String {
        let link = |(_, _, call): &(&str, &str, &Value)| {
            let (id, summary) = (escape(text(&call["operationId"])), text(&call["summary"]));
            format!("<li><a href=\"#{id}\">{}</a></li>", prose(summary))
        };
        let calls: String = self.calls.iter().map(link).collect();
        let name = escape(self.name);
        format!("<h2><a href=\"#about-{name}\">{name}</a></h2><ul>{calls}</ul>")
    }

    fn html(&self, words: &Words) -> String {
        let call = |(path, method, call): &(&str, &str, &Value)| {
            let (id, summary) = (escape(text(&call["operationId"])), text(&call["summary"]));
            format!(
                "<article id=\"{id}\"><h3>{}</h3><p class=\"line\"><b class=\"{method}\">{}</b> {}\
                 </p>{}<p>{}: {}</p>{}{}{}</article>\n",
                prose(summary),
                method.to_uppercase(),
                code(path),
                paragraphs(text(&call["description"])),
                words.needs,
                needs(&call["security"], words),
                parameters(&call["parameters"], words),
                self.body(&call["requestBody"], words),
                self.answers(&call["responses"], words),
            )
        };
        let calls: String = self.calls.iter().map(call).collect();
        let (name, about) = (escape(self.name), paragraphs(self.about));
        format!("<section id=\"about-{name}\"><h2>{name}</h2>{about}{calls}</section>")
    }

    fn body(&self, body: &Value, words: &Words) -> String {
        let shown = |(media, schema, about): (&str, String, &str)| {
            let about = if about.is_empty() { about.to_owned() } else { format!(". {about}") };
            format!("<p>{}: {schema}{}</p>", code(media), prose(&about))
        };
        let shown: String = contents(body, words).map(shown).collect();
        if shown.is_empty() {
            return shown;
        }
        let media = body["content"].as_object().into_iter().flatten();
        let members = media.map(|(_, media)| self.follow(&media["schema"]));
        let members: String = members.map(|schema| members_of(schema, words)).collect();
        format!("<h4>{}</h4>{shown}{members}", words.body)
    }

    /// What is answered; the many ways of saying no fold away.
    fn answers(&self, answers: &Value, words: &Words) -> String {
        let all = answers.as_object().into_iter().flatten();
        let followed = all.map(|(status, answer)| (status, self.follow(answer)));
        let (no, yes): (Vec<_>, Vec<_>) =
            followed.partition(|(_, answer)| answer["x-codes"].is_array());
        let head = [words.status, words.meaning, words.answered, words.headers];
        let rows = yes.into_iter().map(|(status, answer)| {
            let names = answer["headers"].as_object().into_iter().flatten();
            let names: Vec<_> = names.map(|(name, _)| code(name)).collect();
            let bodies: Vec<_> = contents(answer, words).map(|(_, schema, _)| schema).collect();
            let body = bodies.join(&format!(" {} ", words.or));
            [code(status), prose(text(&answer["description"])), body, names.join(" ")]
        });
        let answered = titled(words.answers, table(head, rows.collect()));
        let statuses: Vec<_> = no.iter().map(|(status, _)| code(status)).collect();
        let rows = no
            .into_iter()
            .map(|(status, answer)| [code(status), prose(text(&answer["description"]))]);
        match table([words.status, words.meaning], rows.collect()) {
            none if none.is_empty() => answered,
            refused => format!(
                "{answered}<details><summary>{}: {}</summary>{refused}</details>",
                words.refusals,
                statuses.join(" ")
            ),
        }
    }

    fn follow(&self, value: &'a Value) -> &'a Value {
        let reference = value["$ref"].as_str().and_then(|path| path.strip_prefix('#'));
        reference.and_then(|path| self.document.pointer(path)).unwrap_or(value)
    }
}

fn needs(ways: &Value, words: &Words) -> String {
    let way = |way: &Value| {
        let schemes = way.as_object().into_iter().flatten();
        let named = schemes.map(|(scheme, scopes)| {
            let scopes: Vec<_> = items(scopes).map(|scope| code(text(scope))).collect();
            format!("{} {}", code(scheme), scopes.join(" ")).trim_end().to_owned()
        });
        let named: Vec<_> = named.collect();
        if named.is_empty() { words.nobody.to_owned() } else { named.join(" + ") }
    };
    let ways: Vec<_> = items(ways).map(way).collect();
    if ways.is_empty() { words.nobody.to_owned() } else { ways.join(&format!(" {} ", words.or)) }
}

fn parameters(parameters: &Value, words: &Words) -> String {
    let row = |parameter: &Value| {
        [
            name(text(&parameter["name"]), parameter["required"] == true, words),
            escape(text(&parameter["in"])),
            kind(&parameter["schema"], words),
            prose(text(&parameter["description"])),
        ]
    };
    let rows: Vec<_> = items(parameters).map(row).collect();
    let head = [words.name, words.place, words.kind, words.meaning];
    titled(words.parameters, table(head, rows))
}

fn schemas(schemas: &Value, words: &Words) -> String {
    let one = |(name, schema): (&String, &Value)| {
        let about = paragraphs(text(&schema["description"]));
        let shown = match schema["properties"].is_object() {
            true => members_of(schema, words),
            false => format!("<p>{}</p>", kind(schema, words)),
        };
        let name = escape(name);
        format!("<article id=\"schema-{name}\"><h3>{name}</h3>{about}{shown}</article>\n")
    };
    schemas.as_object().into_iter().flatten().map(one).collect()
}

fn members_of(schema: &Value, words: &Words) -> String {
    let row = |(member, schema_of): (&String, &Value)| {
        let required = items(&schema["required"]).any(|required| required == member.as_str());
        let about = prose(text(&schema_of["description"]));
        [name(member, required, words), kind(schema_of, words), about]
    };
    let rows = schema["properties"].as_object().into_iter().flatten().map(row).collect();
    table([words.name, words.kind, words.meaning], rows)
}

fn name(name: &str, required: bool, words: &Words) -> String {
    let mark = if required { format!(" <i>{}</i>", words.required) } else { String::new() };
    code(name) + &mark
}

fn titled(title: &str, table: String) -> String {
    if table.is_empty() { table } else { format!("<h4>{title}</h4>{table}") }
}

fn table<const N: usize>(head: [&str; N], rows: Vec<[String; N]>) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let head: String = head.iter().map(|title| format!("<th>{title}</th>")).collect();
    let row = |row: &[String; N]| {
        let cells: String = row.iter().map(|cell| format!("<td>{cell}</td>")).collect();
        format!("<tr>{cells}</tr>")
    };
    let rows: String = rows.iter().map(row).collect();
    format!(
        "<div class=\"wide\"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
}

/// The bodies that something may have: media type, what it is made of, and what is said of it.
fn contents<'a>(
    holder: &'a Value,
    words: &'a Words,
) -> impl Iterator<Item = (&'a str, String, &'a str)> {
    let all = holder["content"].as_object().into_iter().flatten();
    all.map(|(media, body)| match body.get("x-item-schema") {
        Some(item) => {
            let made = format!("{} {}", words.lines_of, kind(item, words));
            (media.as_str(), made, text(&body["schema"]["description"]))
        }
        None => (media.as_str(), kind(&body["schema"], words), ""),
    })
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn paragraphs(text: &str) -> String {
    let parts = text.split("\n\n").filter(|part| !part.is_empty());
    parts.map(|part| format!("<p>{}</p>", prose(part))).collect()
}

/// Text in which backticks mark code.
fn prose(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts.map(|(n, part)| if n % 2 == 0 { escape(part) } else { code(part) }).collect()
}

/// Text as code.
pub(super) fn code(text: &str) -> String {
    format!("<code>{}</code>", escape(text))
}

/// Text that HTML shows as it is.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

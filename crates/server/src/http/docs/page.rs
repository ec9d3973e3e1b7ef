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
        format!("<h2>{}</h2><ul>{calls}</ul>", escape(self.name))
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
                answers(&call["responses"], words),
            )
        };
        let calls: String = self.calls.iter().map(call).collect();
        format!(
            "<section><h2>{}</h2>{}{calls}</section>",
            escape(self.name),
            paragraphs(self.about)
        )
    }

    fn body(&self, body: &Value, words: &Words) -> String {
        let Some((media, schema)) = content(body) else { return String::new() };
        let reference = text(&schema["$ref"]).trim_start_matches('#');
        let members = self.document.pointer(reference).map(|schema| members(schema, words));
        let head =
            format!("<h4>{}</h4><p>{}: {}</p>", words.body, code(media), kind(schema, words));
        head + &members.unwrap_or_default()
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

fn answers(answers: &Value, words: &Words) -> String {
    let row = |(status, answer): (&String, &Value)| {
        let names = answer["headers"].as_object().into_iter().flatten();
        let names: Vec<_> = names.map(|(name, _)| code(name)).collect();
        let body = content(answer).map(|(_, schema)| kind(schema, words));
        let meaning = text(&answer["description"]);
        [code(status), prose(meaning), body.unwrap_or_default(), names.join(" ")]
    };
    let rows: Vec<_> = answers.as_object().into_iter().flatten().map(row).collect();
    let head = [words.status, words.meaning, words.body, words.headers];
    titled(words.answers, table(head, rows))
}

fn schemas(schemas: &Value, words: &Words) -> String {
    let one = |(name, schema): (&String, &Value)| {
        let about = paragraphs(text(&schema["description"]));
        let shown = match schema["properties"].is_object() {
            true => members(schema, words),
            false => format!("<p>{}</p>", kind(schema, words)),
        };
        let name = escape(name);
        format!("<article id=\"schema-{name}\"><h3>{name}</h3>{about}{shown}</article>\n")
    };
    schemas.as_object().into_iter().flatten().map(one).collect()
}

fn members(schema: &Value, words: &Words) -> String {
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

/// The media type and the schema of a body.
fn content(holder: &Value) -> Option<(&str, &Value)> {
    let (media, body) = holder["content"].as_object()?.iter().next()?;
    Some((media, &body["schema"]))
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

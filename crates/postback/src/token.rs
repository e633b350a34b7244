//! Makes a caller's token.

use std::io::Write;

use postback_access::{Rules, Scope, Token};

/// Prints a new token to `out`, once and for good, and to `err` the lines that let its holder in.
pub(crate) fn token(
    name: &str,
    scopes: &[Scope],
    out: &mut impl Write,
    err: &mut impl Write,
) -> anyhow::Result<()> {
    let token = Token::generate()?;
    let hash = token.hash();
    Rules::default().token(name, scopes, &[hash])?;
    let words: Vec<String> = scopes.iter().map(|scope| format!("\"{scope}\"")).collect();
    let key = if name.contains('.') { format!("\"{name}\"") } else { name.to_owned() };
    writeln!(
        err,
        "# The token is shown this once. In the config, beside the one before while it is changed:"
    )?;
    writeln!(err, "[access.tokens.{key}]\nscopes = [{}]\nsha256 = [\"{hash}\"]", words.join(", "))?;
    writeln!(out, "{}", token.reveal())?;
    Ok(())
}

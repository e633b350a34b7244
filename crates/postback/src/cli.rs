//! The command line.

use std::{
    io::{self, Write},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
};

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use postback_access::Scope;
use postback_core::{Error, ErrorKind};

use crate::{
    client::{Client, EXITS},
    config::{Config, LogFormat, Problem},
    demo, keygen, link, logs,
    reload::Changes,
    role::Role,
    serve, token,
};

/// Tells ad networks of conversions: once, in order, with proof.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXITS)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Shows everything at work on this machine: three simulated networks, visitors, conversions, deliveries.
    ///
    /// Needs no service, no key and no config. Prints what each side counted, then goes on serving.
    Demo(demo::Options),
    /// Runs the hub.
    Serve {
        /// The config; without one, POSTBACK_* variables alone.
        #[arg(long, env = "POSTBACK_CONFIG", value_name = "FILE")]
        config: Option<PathBuf>,
        /// What this process does; hubs that share a Redis can part the work.
        #[arg(long, value_enum, value_delimiter = ',', default_values_t = Role::ALL)]
        role: Vec<Role>,
    },
    /// Runs the three simulated networks alone.
    Sandbox {
        /// Where they listen.
        #[arg(long, default_value = "127.0.0.1:9100")]
        listen: SocketAddr,
        /// What they know at the start; by default the examples of the networks' documents.
        #[arg(long, value_name = "FILE")]
        seed: Option<PathBuf>,
    },
    /// Says line by line what is wrong with a config.
    Check {
        /// The config.
        file: PathBuf,
    },
    /// Prints a new key for `key.current`.
    Keygen {
        /// The key's number, 0 to 255: another one for each key of a deployment.
        #[arg(long, default_value_t = 1)]
        id: u8,
    },
    /// Prints a new token for a caller, and the lines of the config that let it in.
    Token {
        /// Who will show it.
        name: String,
        /// What its holder may do; give it more than once for more than one.
        #[arg(long, required = true, value_name = "report|read|operate")]
        scope: Vec<Scope>,
    },
    /// Prints the URL to paste into a campaign's network panel.
    Link {
        /// The campaign.
        campaign: String,
        /// The config.
        #[arg(long, env = "POSTBACK_CONFIG", value_name = "FILE")]
        config: Option<PathBuf>,
    },
    #[command(flatten)]
    Client(Box<Client>),
    /// Prints what lets a shell complete these commands.
    #[command(
        after_help = "Examples:\n  source <(postback completions bash)\n  postback completions fish > \
        ~/.config/fish/completions/postback.fish"
    )]
    Completions {
        /// The shell.
        #[arg(value_parser = clap::value_parser!(Shell))]
        shell: Shell,
    },
}

/// Why a command ended badly.
pub(crate) enum Failure {
    /// A config that is wrong.
    Config(Vec<Problem>),
    /// Anything else.
    Other(anyhow::Error),
}

impl Failure {
    /// As every help says it: 3 for what is not found, 2 for a value that is not taken.
    fn code(&self) -> ExitCode {
        let Self::Other(error) = self else { return ExitCode::FAILURE };
        let kind =
            error.chain().find_map(|cause| cause.downcast_ref::<postback_core::Error>()).map(Error::kind);
        match kind {
            Some(ErrorKind::NotFound) => ExitCode::from(3),
            Some(ErrorKind::InvalidArgument) => ExitCode::from(2),
            _ => ExitCode::FAILURE,
        }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

impl Cli {
    /// Does what was asked; says on standard error what went wrong.
    pub fn run(self) -> ExitCode {
        let (mut out, mut err) = (io::stdout(), io::stderr());
        let failure = match self.command.run(&mut out, &mut err) {
            Ok(code) => return code,
            Err(failure) => failure,
        };
        let written = match &failure {
            Failure::Config(problems) => problems.iter().try_for_each(|problem| writeln!(err, "{problem}")),
            Failure::Other(error) => writeln!(err, "postback: {error:#}"),
        };
        if written.is_err() { ExitCode::from(74) } else { failure.code() }
    }
}

fn load(file: Option<PathBuf>) -> Result<Config, Failure> {
    Config::load(file.as_deref()).map_err(Failure::Config)
}

async fn serve_with(file: Option<PathBuf>, roles: &[Role]) -> Result<(), Failure> {
    let changes = file.clone().map(Changes::of).transpose()?;
    Ok(serve::run(load(file)?, changes, roles).await?)
}

impl Command {
    fn run(self, out: &mut impl Write, err: &mut impl Write) -> Result<ExitCode, Failure> {
        match self {
            Self::Demo(options) => {
                let accounted = demo::run(&options, out)?;
                return Ok(if accounted { ExitCode::SUCCESS } else { ExitCode::FAILURE });
            }
            Self::Serve { config: file, role } => {
                serve::block_on(serve_with(file, &role))??;
            }
            Self::Sandbox { listen, seed } => {
                logs::start(LogFormat::Auto, "info")?;
                serve::block_on(serve::sandbox(listen, seed))??;
            }
            Self::Check { file } => {
                load(Some(file.clone()))?;
                writeln!(out, "{} is right", file.display())?;
            }
            Self::Keygen { id } => writeln!(out, "{}", keygen::key(id)?.reveal())?,
            Self::Token { name, scope } => token::token(&name, &scope, out, err)?,
            Self::Client(client) => return Ok(client.run(out, err)),
            Self::Completions { shell } => {
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut Cli::command(), "postback", &mut script);
                out.write_all(&script)?;
            }
            Self::Link { campaign, config } => writeln!(out, "{}", link::link(&load(config)?, &campaign)?)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

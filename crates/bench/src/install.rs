//! The programs that a row needs: looked for, and installed by apt where it may.

use std::{collections::BTreeSet, env, ffi::OsString, path::Path, process::Command};

use anyhow::{Context, ensure};

/// A program or file that a row needs, and the packages of Debian that have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Need {
    /// The file that shows that it is there: a path, or a program's name.
    pub(crate) file: &'static str,
    /// Where it comes from.
    pub(crate) packages: &'static [&'static str],
}

/// What pins processes, for every row.
const ALWAYS: Need = Need { file: "setpriv", packages: &["util-linux"] };
/// A Redis.
pub(crate) const REDIS: Need = Need { file: "redis-server", packages: &["redis-server"] };
/// An nginx that speaks Lua, and its client of Redis.
pub(crate) const NGINX: [Need; 3] = [
    Need { file: "nginx", packages: &["nginx"] },
    Need { file: "/usr/lib/nginx/modules/ngx_http_lua_module.so", packages: &["libnginx-mod-http-lua"] },
    Need { file: "/usr/share/lua/5.1/nginx/redis.lua", packages: &["lua-nginx-redis"] },
];
/// Node and what installs its packages.
pub(crate) const NODE: [Need; 2] =
    [Need { file: "node", packages: &["nodejs"] }, Need { file: "npm", packages: &["npm"] }];
/// Debian's Python with `requests`.
pub(crate) const REQUESTS: Need =
    Need { file: "/usr/lib/python3/dist-packages/requests/__init__.py", packages: &["python3-requests"] };

/// Installs what is missing of all that is needed.
pub(crate) fn needed<'a>(needs: impl Iterator<Item = &'a Need>) -> anyhow::Result<()> {
    let missing = needs.chain([&ALWAYS]).filter(|need| !is_there(need.file));
    let packages: BTreeSet<&str> = missing.flat_map(|need| need.packages.iter().copied()).collect();
    if packages.is_empty() {
        return Ok(());
    }
    let names = packages.into_iter().collect::<Vec<_>>().join(" ");
    let please = || format!("please install {names} and run this again");
    // The packages would start servers of their own; each row starts its own.
    let script = format!(
        "echo installing {names} >&2; apt-get update -qq && \
         RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends {names} >&2"
    );
    let installed = Command::new("sh").args(["-c", &script]).status().with_context(please)?;
    ensure!(installed.success(), "apt-get did not install it, which root can on Debian: {}", please());
    Ok(())
}

fn is_there(file: &str) -> bool {
    if file.starts_with('/') {
        return Path::new(file).exists();
    }
    env::split_paths(&path()).any(|folder| folder.join(file).exists())
}

/// Where programs are looked for: Debian keeps servers where only root's own path looks.
pub(crate) fn path() -> OsString {
    let mut path = env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin");
    path
}

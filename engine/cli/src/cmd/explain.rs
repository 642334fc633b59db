//! `stanch explain`.

use std::process::ExitCode;

use stanch_engine_core::error_code;

pub(super) fn run(code: Option<&str>) -> anyhow::Result<ExitCode> {
    let Some(code) = code else {
        for known in error_code::ALL {
            println!("{}  {}", known.code, known.title);
        }
        return Ok(ExitCode::SUCCESS);
    };
    match error_code::find(code) {
        Some(found) => {
            print!("{}", found.page);
            Ok(ExitCode::SUCCESS)
        }
        None => {
            eprintln!("there is no error code {code}; `stanch explain` lists them");
            Ok(ExitCode::FAILURE)
        }
    }
}

//! Configurations, right and wrong.

#[cfg(test)]
mod errors;
#[cfg(test)]
mod gateway;
#[cfg(test)]
mod guide;
#[cfg(test)]
mod presets;
#[cfg(test)]
mod schedules;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod values;

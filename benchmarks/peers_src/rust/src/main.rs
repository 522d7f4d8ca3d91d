//! The filter that seccompiler makes of rules on standard input; see benchmarks/peers.py.
//! It knows two answers: what is not allowed gets EPERM, also where the profile says ENOSYS.

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};
use std::collections::BTreeMap;
use std::io::{stdin, stdout, Read, Write};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut text = String::new();
    stdin().read_to_string(&mut text)?;
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        if words[0] != "2147418112" {
            continue;
        }
        let alternatives = rules.entry(words[1].parse()?).or_default();
        let mut conditions = vec![];
        for word in &words[3..] {
            let parts: Vec<u64> = word.split(':').map(str::parse).collect::<Result<_, _>>()?;
            conditions.push(SeccompCondition::new(
                parts[0] as u8,
                SeccompCmpArgLen::Dword,
                SeccompCmpOp::MaskedEq(parts[1]),
                parts[2],
            )?);
        }
        if !conditions.is_empty() {
            alternatives.push(SeccompRule::new(conditions)?);
        }
    }
    let filter: BpfProgram = SeccompFilter::new(
        rules,
        SeccompAction::Errno(1),
        SeccompAction::Allow,
        TargetArch::x86_64,
    )?
    .try_into()?;
    for each in filter {
        stdout().write_all(&each.code.to_le_bytes())?;
        stdout().write_all(&[each.jt, each.jf])?;
        stdout().write_all(&each.k.to_le_bytes())?;
    }
    Ok(())
}

//! Makes a classic BPF program of a table of rules.
//!
//! The program looks at the machine first, then finds the call's number in a balanced tree, and for
//! some calls tests arguments. Whatever needs no argument depends on the number alone, so that the
//! kernel answers it from a bitmap without running the program. Only low words of arguments are
//! tested: the kernel takes 32 bits of every argument that is tested here. Decides nothing itself.

/// One instruction, laid out as the kernel's `sock_filter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Instruction {
    pub(crate) code: u16,
    pub(crate) jump_true: u8,
    pub(crate) jump_false: u8,
    pub(crate) k: u32,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is carried out.
    Allow,
    /// It returns this error.
    Errno(u16),
    /// The supervisor is asked.
    Notify,
    /// The process ends.
    Kill,
}

/// A test of the low word of an argument: whether `argument & mask` is one of `values`, or is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Test {
    pub(crate) argument: u8,
    pub(crate) mask: u32,
    pub(crate) values: Vec<u32>,
    pub(crate) one_of: bool,
}

/// Tests that must all hold, and what follows then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Clause {
    pub(crate) tests: Vec<Test>,
    pub(crate) then: Verdict,
}

/// What becomes of a call: the first clause that holds says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) clauses: Vec<Clause>,
    pub(crate) otherwise: Verdict,
}

/// A program for one machine: `rules` are the calls that there are, sorted by number.
///
/// Every number without a rule is `unknown`; on a machine with x32, its numbers are `Kill`.
pub(crate) fn program(
    audit_arch: u32,
    x32: bool,
    rules: &[(u32, &Rule)],
    unknown: Verdict,
) -> Vec<Instruction> {
    let mut blocks = Vec::new();
    let mut ranges: Vec<(u32, Leaf)> = Vec::new();
    let mut push = |start: u32, leaf: Leaf| {
        if ranges.last().is_none_or(|last| last.1 != leaf) {
            ranges.push((start, leaf));
        }
    };
    let mut next = 0;
    for (number, rule) in rules {
        if *number > next {
            push(next, Leaf::Return(unknown));
        }
        if rule.clauses.is_empty() {
            push(*number, Leaf::Return(rule.otherwise));
        } else {
            push(*number, Leaf::Block(blocks.len()));
            blocks.push(block(rule));
        }
        next = number + 1;
    }
    push(next, Leaf::Return(unknown));
    if x32 {
        // The number -1 has the bit as well, but is no x32 call: a tracer uses it to skip one.
        push(X32_BIT, Leaf::Return(Verdict::Kill));
        push(u32::MAX, Leaf::Return(unknown));
    }
    let mut program = vec![
        load(OFFSET_ARCH),
        jump(JUMP_EQUAL, audit_arch, 1, 0),
        give(Verdict::Kill),
        load(OFFSET_NUMBER),
    ];
    let tree = tree(&ranges);
    let mut starts = Vec::with_capacity(blocks.len());
    let mut start = program.len() + tree.len();
    for block in &blocks {
        starts.push(start);
        start += block.len();
    }
    for step in tree {
        let here = program.len();
        program.push(match step {
            Step::Done(instruction) => instruction,
            // A block stands behind the tree, hence behind every step of it.
            Step::Block(index) => always(starts.get(index).map_or(0, |start| start - here - 1)),
        });
    }
    program.extend(blocks.into_iter().flatten());
    program
}

const X32_BIT: u32 = 0x4000_0000;

/// Offsets into `struct seccomp_data`.
const OFFSET_NUMBER: u32 = 0;
const OFFSET_ARCH: u32 = 4;
const OFFSET_ARGUMENTS: u32 = 16;

// From <linux/bpf_common.h>.
const LOAD_WORD: u16 = 0x20;
const AND: u16 = 0x54;
const RETURN: u16 = 0x06;
const JUMP: u16 = 0x05;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_AT_LEAST: u16 = 0x35;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leaf {
    Return(Verdict),
    Block(usize),
}

enum Step {
    Done(Instruction),
    Block(usize),
}

fn tree(ranges: &[(u32, Leaf)]) -> Vec<Step> {
    if let [(_, leaf)] = ranges {
        return vec![match leaf {
            Leaf::Return(verdict) => Step::Done(give(*verdict)),
            Leaf::Block(index) => Step::Block(*index),
        }];
    }
    let (low, high) = ranges.split_at(ranges.len() / 2);
    let Some((start, _)) = high.first() else { return Vec::new() };
    let (low, high) = (tree(low), tree(high));
    let mut steps = match u8::try_from(low.len()) {
        Ok(over) => vec![Step::Done(jump(JUMP_AT_LEAST, *start, over, 0))],
        Err(_) => {
            vec![Step::Done(jump(JUMP_AT_LEAST, *start, 0, 1)), Step::Done(always(low.len()))]
        }
    };
    steps.extend(low);
    steps.extend(high);
    steps
}

fn block(rule: &Rule) -> Vec<Instruction> {
    let mut instructions = Vec::new();
    for clause in &rule.clauses {
        let mut body = vec![give(clause.then)];
        for test in clause.tests.iter().rev() {
            let mut head = vec![load(OFFSET_ARGUMENTS + 8 * u32::from(test.argument))];
            if test.mask != u32::MAX {
                head.push(Instruction { code: AND, jump_true: 0, jump_false: 0, k: test.mask });
            }
            let count = test.values.len();
            for (index, value) in test.values.iter().enumerate() {
                head.push(jump(JUMP_EQUAL, *value, 0, 1));
                // Two instructions for each value that follows.
                let following = 2 * (count - 1 - index);
                head.push(always(if test.one_of { following + 1 } else { following + body.len() }));
            }
            if test.one_of {
                head.push(always(body.len()));
            }
            head.append(&mut body);
            body = head;
        }
        instructions.append(&mut body);
    }
    instructions.push(give(rule.otherwise));
    instructions
}

const fn load(offset: u32) -> Instruction {
    Instruction { code: LOAD_WORD, jump_true: 0, jump_false: 0, k: offset }
}

const fn jump(code: u16, k: u32, jump_true: u8, jump_false: u8) -> Instruction {
    Instruction { code, jump_true, jump_false, k }
}

const fn always(over: usize) -> Instruction {
    Instruction { code: JUMP, jump_true: 0, jump_false: 0, k: over as u32 }
}

const fn give(verdict: Verdict) -> Instruction {
    // From <linux/seccomp.h>.
    let k = match verdict {
        Verdict::Allow => 0x7fff_0000,
        Verdict::Errno(errno) => 0x0005_0000 | errno as u32,
        Verdict::Notify => 0x7fc0_0000,
        Verdict::Kill => 0x8000_0000,
    };
    Instruction { code: RETURN, jump_true: 0, jump_false: 0, k }
}

/// What the kernel does with a program, for tests.
#[cfg(test)]
pub(crate) fn interpret(
    program: &[Instruction],
    arch: u32,
    number: u32,
    arguments: [u64; 6],
) -> Verdict {
    let mut accumulator = 0_u32;
    let mut at = 0_usize;
    loop {
        let Instruction { code, jump_true, jump_false, k } = program[at];
        at += 1;
        match code {
            LOAD_WORD => {
                accumulator = match k {
                    OFFSET_NUMBER => number,
                    OFFSET_ARCH => arch,
                    offset => {
                        let offset = offset - OFFSET_ARGUMENTS;
                        assert_eq!(offset % 8, 0, "low words alone");
                        arguments[offset as usize / 8] as u32
                    }
                }
            }
            AND => accumulator &= k,
            JUMP => at += k as usize,
            JUMP_EQUAL => at += usize::from(if accumulator == k { jump_true } else { jump_false }),
            JUMP_AT_LEAST => {
                at += usize::from(if accumulator >= k { jump_true } else { jump_false });
            }
            RETURN => {
                return match k {
                    0x7fff_0000 => Verdict::Allow,
                    0x7fc0_0000 => Verdict::Notify,
                    0x8000_0000 => Verdict::Kill,
                    _ => Verdict::Errno(k as u16),
                };
            }
            _ => panic!("no such instruction: {code:#x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(clauses: Vec<Clause>, otherwise: Verdict) -> Rule {
        Rule { clauses, otherwise }
    }

    fn test(argument: u8, mask: u32, values: &[u32], one_of: bool) -> Test {
        Test { argument, mask, values: values.to_vec(), one_of }
    }

    #[test]
    fn a_tree_of_any_size_finds_every_number() {
        // Every second number has a rule with an error of its own: no two ranges are merged, and
        // the tree is far larger than a conditional jump reaches.
        let rules: Vec<Rule> =
            (1..=600).map(|errno| rule(Vec::new(), Verdict::Errno(errno))).collect();
        let rules: Vec<(u32, &Rule)> =
            rules.iter().enumerate().map(|(index, rule)| (index as u32 * 2, rule)).collect();
        let program = program(7, true, &rules, Verdict::Errno(38));
        for number in 0..1200 {
            let expected = if number % 2 == 0 { number as u16 / 2 + 1 } else { 38 };
            assert_eq!(interpret(&program, 7, number, [0; 6]), Verdict::Errno(expected));
        }
        assert_eq!(interpret(&program, 7, 0x3fff_ffff, [0; 6]), Verdict::Errno(38));
        assert_eq!(interpret(&program, 7, 0x4000_0000, [0; 6]), Verdict::Kill);
        assert_eq!(interpret(&program, 7, u32::MAX - 1, [0; 6]), Verdict::Kill);
        assert_eq!(interpret(&program, 7, u32::MAX, [0; 6]), Verdict::Errno(38));
        assert_eq!(interpret(&program, 8, 0, [0; 6]), Verdict::Kill);
    }

    #[test]
    fn the_first_clause_whose_tests_all_hold_decides() {
        let clauses = vec![
            Clause {
                tests: vec![test(0, u32::MAX, &[2, 10], true), test(1, 0xf, &[1], true)],
                then: Verdict::Allow,
            },
            Clause { tests: vec![test(2, 0x30, &[0], false)], then: Verdict::Notify },
            Clause { tests: vec![test(0, u32::MAX, &[5, 6, 7], false)], then: Verdict::Kill },
        ];
        let program = program(7, false, &[(3, &rule(clauses, Verdict::Errno(1)))], Verdict::Allow);
        let cases = [
            ([2, 0x81, 0], Verdict::Allow),
            ([10, 1, 0x10], Verdict::Allow),
            ([10, 2, 0x10], Verdict::Notify),
            ([5, 2, 0x20], Verdict::Notify),
            ([5, 2, 0x40], Verdict::Errno(1)),
            ([7, 1, 0], Verdict::Errno(1)),
            ([8, 1, 0], Verdict::Kill),
            // The high word changes nothing.
            ([2 | 1 << 40, 1, 0], Verdict::Allow),
        ];
        for ([first, second, third], expected) in cases {
            let arguments = [first, second, third, 9, 9, 9];
            assert_eq!(interpret(&program, 7, 3, arguments), expected, "{first} {second} {third}");
        }
    }
}

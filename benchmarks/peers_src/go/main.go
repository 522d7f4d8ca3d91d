// The filter that gVisor's pkg/seccomp or Elastic's go-seccomp-bpf makes of rules on standard input;
// see benchmarks/peers.py. What is no rule gets EPERM. gVisor is told the hottest calls, as its
// sentry tells it.
package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"log"
	"os"
	"strings"

	elastic "github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/net/bpf"
	"gvisor.dev/gvisor/pkg/seccomp"
)

const (
	allow = 0x7fff0000
	data  = 0xffff
	eperm = 1
)

// test holds when the argument's bits in mask are those of value.
type test struct {
	index       int
	mask, value uint64
}

// rule gives an answer to a call all of whose tests hold.
type rule struct {
	answer uint32
	number uintptr
	name   string
	tests  []test
}

type instruction struct {
	Code   uint16
	JT, JF uint8
	K      uint32
}

func main() {
	log.SetFlags(0)
	var rules []rule
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		words := strings.Fields(lines.Text())
		var each rule
		if _, err := fmt.Sscan(strings.Join(words[:3], " "), &each.answer, &each.number, &each.name); err != nil {
			log.Fatal(err)
		}
		for _, word := range words[3:] {
			var t test
			if _, err := fmt.Sscanf(word, "%d:%d:%d", &t.index, &t.mask, &t.value); err != nil {
				log.Fatal(err)
			}
			each.tests = append(each.tests, t)
		}
		rules = append(rules, each)
	}
	made := byGvisor
	if os.Args[1] != "gVisor" {
		made = byElastic
	}
	program, err := made(rules)
	if err != nil {
		log.Fatal(err)
	}
	if err := binary.Write(os.Stdout, binary.LittleEndian, program); err != nil {
		log.Fatal(err)
	}
}

func byGvisor(rules []rule) ([]instruction, error) {
	sets := map[uint32]seccomp.SyscallRules{}
	order := []uint32{}
	for _, each := range rules {
		if _, there := sets[each.answer]; !there {
			sets[each.answer] = seccomp.NewSyscallRules()
			order = append(order, each.answer)
		}
		if len(each.tests) == 0 {
			sets[each.answer].Add(each.number, seccomp.MatchAll{})
			continue
		}
		var arguments seccomp.PerArg
		for _, t := range each.tests {
			arguments[t.index] = seccomp.MaskedEqual(uintptr(t.mask), uintptr(t.value))
		}
		for i := range arguments {
			if arguments[i] == nil {
				arguments[i] = seccomp.AnyValue{}
			}
		}
		sets[each.answer].Add(each.number, arguments)
	}
	var ruleSets []seccomp.RuleSet
	for _, answer := range order {
		action := seccomp.Allow
		if answer != allow {
			action = seccomp.ReturnError.Code(uint16(answer & data))
		}
		ruleSets = append(ruleSets, seccomp.RuleSet{Rules: sets[answer], Action: action})
	}
	source := seccomp.Program{RuleSets: ruleSets, Options: seccomp.ProgramOptions{
		DefaultAction: seccomp.ReturnError.Code(eperm),
		BadArchAction: seccomp.KillThread,
		HotSyscalls:   []uintptr{262, 0}, // newfstatat and read
	}}
	made, _, err := source.Build()
	var program []instruction
	for _, each := range made {
		program = append(program, instruction{each.OpCode, each.JumpIfTrue, each.JumpIfFalse, each.K})
	}
	return program, err
}

// byElastic says masked equality bit by bit: the library knows whether any bit of a mask is set,
// and whether none is.
func byElastic(rules []rule) ([]instruction, error) {
	known, err := arch.GetInfo("amd64")
	if err != nil {
		return nil, err
	}
	policy := elastic.Policy{DefaultAction: elastic.ActionErrno}
	groups := map[uint32]int{}
	for _, each := range rules {
		if _, there := known.SyscallNames[each.name]; !there {
			continue // newer than the library
		}
		if _, there := groups[each.answer]; !there {
			groups[each.answer] = len(policy.Syscalls)
			policy.Syscalls = append(policy.Syscalls, elastic.SyscallGroup{Action: elastic.Action(each.answer)})
		}
		group := &policy.Syscalls[groups[each.answer]]
		if len(each.tests) == 0 {
			group.Names = append(group.Names, each.name)
			continue
		}
		var conditions elastic.ArgumentConditions
		for _, t := range each.tests {
			conditions = append(conditions, bits(t)...)
		}
		group.NamesWithCondtions = append(group.NamesWithCondtions,
			elastic.NameWithConditions{Name: each.name, Conditions: conditions})
	}
	made, err := policy.Assemble()
	if err != nil {
		return nil, err
	}
	raw, err := bpf.Assemble(made)
	var program []instruction
	for _, each := range raw {
		program = append(program, instruction{each.Op, each.Jt, each.Jf, each.K})
	}
	return program, err
}

func bits(t test) elastic.ArgumentConditions {
	argument := uint32(t.index)
	if t.mask == 0xffffffff {
		return elastic.ArgumentConditions{{Argument: argument, Operation: elastic.Equal, Value: t.value}}
	}
	var conditions elastic.ArgumentConditions
	if unset := t.mask &^ t.value; unset != 0 {
		conditions = append(conditions, elastic.Condition{
			Argument: argument, Operation: elastic.BitsNotSet, Value: unset})
	}
	for bit := uint64(1); bit != 0; bit <<= 1 {
		if t.mask&t.value&bit != 0 {
			conditions = append(conditions, elastic.Condition{
				Argument: argument, Operation: elastic.BitsSet, Value: bit})
		}
	}
	return conditions
}

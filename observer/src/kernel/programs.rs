//! The table of programs: hook, oldest kernel, whether the agent can do without, and what is lost then.

use aya::{
    Btf, Ebpf,
    programs::{BtfTracePoint, CgroupAttachMode, CgroupSkb, CgroupSkbAttachType, CgroupSock, ProgramError, SockOps},
};

use crate::api::ProgramStatus;

/// Where a program attaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hook {
    /// A cgroup's `sock_ops`.
    SockOps,
    /// A cgroup's packets towards sockets.
    Ingress,
    /// A cgroup's packets from sockets.
    Egress,
    /// Release of a cgroup's sockets.
    Release,
    /// A tracepoint with BTF types.
    Tracepoint(&'static str),
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spec {
    pub(super) name: &'static str,
    pub(super) hook: Hook,
    /// Oldest kernel that has the hook, as documented.
    pub(super) since: &'static str,
    pub(super) required: bool,
    pub(super) lost_without: &'static str,
    /// The other program for the same events: what the kernel does not run one of them for, the other tells.
    pub(super) twin: Option<&'static str>,
}

/// What is lost without the second of two programs.
const AS_SECOND: &str = "the same, while a packet interrupts the first program on its CPU";

/// All programs, in the order of attachment: what tells the end of a connection is there before what tells its beginning,
/// and of twins the first is there before the second, since the kernel runs them in that order.
pub(super) const TABLE: &[Spec] = &[
    Spec {
        name: "pw_set_state",
        hook: Hook::Tracepoint("inet_sock_set_state"),
        since: "5.11",
        required: true,
        lost_without: "how and when connections end, refused and unanswered attempts",
        twin: Some("pw_set_state_2"),
    },
    Spec {
        name: "pw_set_state_2",
        hook: Hook::Tracepoint("inet_sock_set_state"),
        since: "5.11",
        required: false,
        lost_without: AS_SECOND,
        twin: Some("pw_set_state"),
    },
    Spec {
        name: "pw_send_reset",
        hook: Hook::Tracepoint("tcp_send_reset"),
        since: "5.11",
        required: false,
        lost_without: "which side reset a connection",
        twin: Some("pw_send_reset_2"),
    },
    Spec {
        name: "pw_send_reset_2",
        hook: Hook::Tracepoint("tcp_send_reset"),
        since: "5.11",
        required: false,
        lost_without: AS_SECOND,
        twin: Some("pw_send_reset"),
    },
    Spec {
        name: "pw_receive_reset",
        hook: Hook::Tracepoint("tcp_receive_reset"),
        since: "5.11",
        required: false,
        lost_without: "refused attempts are told as unreachable; which side reset a connection",
        twin: Some("pw_receive_reset_2"),
    },
    Spec {
        name: "pw_receive_reset_2",
        hook: Hook::Tracepoint("tcp_receive_reset"),
        since: "5.11",
        required: false,
        lost_without: AS_SECOND,
        twin: Some("pw_receive_reset"),
    },
    Spec {
        name: "pw_error",
        hook: Hook::Tracepoint("inet_sk_error_report"),
        since: "5.14",
        required: false,
        lost_without: "attempts that a firewall rejects may be told as unanswered",
        twin: Some("pw_error_2"),
    },
    Spec {
        name: "pw_error_2",
        hook: Hook::Tracepoint("inet_sk_error_report"),
        since: "5.14",
        required: false,
        lost_without: AS_SECOND,
        twin: Some("pw_error"),
    },
    Spec {
        name: "pw_retransmit",
        hook: Hook::Tracepoint("tcp_retransmit_skb"),
        since: "5.11",
        required: false,
        lost_without: "retransmissions on connections that are older than the observer",
        twin: Some("pw_sock_ops"),
    },
    Spec {
        name: "pw_recv",
        hook: Hook::Tracepoint("sock_recv_length"),
        since: "6.3",
        required: false,
        lost_without: "time in socket queues; for whom an attempt without data was made",
        twin: None,
    },
    Spec {
        name: "pw_send",
        hook: Hook::Tracepoint("sock_send_length"),
        since: "6.3",
        required: false,
        lost_without: "for whom a re-used connection carried a request without trace id",
        twin: None,
    },
    Spec {
        name: "pw_release",
        hook: Hook::Release,
        since: "5.9",
        required: false,
        lost_without: "which attempt a retry follows",
        twin: None,
    },
    Spec {
        name: "pw_ingress",
        hook: Hook::Ingress,
        since: "5.2",
        required: true,
        lost_without: "every request and answer",
        twin: None,
    },
    Spec {
        name: "pw_egress",
        hook: Hook::Egress,
        since: "5.2",
        required: true,
        lost_without: "every request and answer",
        twin: None,
    },
    Spec {
        name: "pw_sock_ops",
        hook: Hook::SockOps,
        since: "5.14",
        required: true,
        lost_without: "the beginning of connections, and retransmissions",
        twin: None,
    },
];

impl Hook {
    /// The hook's name for people.
    pub(super) fn name(self) -> String {
        match self {
            Self::SockOps => "cgroup/sock_ops".into(),
            Self::Ingress => "cgroup_skb/ingress".into(),
            Self::Egress => "cgroup_skb/egress".into(),
            Self::Release => "cgroup/sock_release".into(),
            Self::Tracepoint(function) => format!("tp_btf/{function}"),
        }
    }
}

/// Loads and attaches one program.
pub(super) fn attach(ebpf: &mut Ebpf, spec: &Spec, btf: &Btf, cgroup: &std::fs::File) -> Result<(), ProgramError> {
    let Some(program) = ebpf.program_mut(spec.name) else {
        return Err(ProgramError::UnexpectedProgramType);
    };
    match spec.hook {
        Hook::SockOps => {
            let program: &mut SockOps = program.try_into()?;
            program.load()?;
            program.attach(cgroup, CgroupAttachMode::Single)?;
        }
        Hook::Ingress | Hook::Egress => {
            let direction =
                if spec.hook == Hook::Ingress { CgroupSkbAttachType::Ingress } else { CgroupSkbAttachType::Egress };
            let program: &mut CgroupSkb = program.try_into()?;
            program.load()?;
            program.attach(cgroup, direction, CgroupAttachMode::Single)?;
        }
        Hook::Release => {
            let program: &mut CgroupSock = program.try_into()?;
            program.load()?;
            program.attach(cgroup, CgroupAttachMode::Single)?;
        }
        Hook::Tracepoint(function) => {
            let program: &mut BtfTracePoint = program.try_into()?;
            program.load(function, btf)?;
            program.attach()?;
        }
    }
    Ok(())
}

/// The verdict for the status page.
pub(super) fn status(spec: &Spec, problem: Option<&str>) -> ProgramStatus {
    ProgramStatus {
        name: spec.name.into(),
        hook: spec.hook.name(),
        required: spec.required,
        attached: problem.is_none(),
        reason: problem.map(|problem| format!("{problem} (the hook exists since Linux {})", spec.since)),
        lost_without: spec.lost_without.into(),
    }
}

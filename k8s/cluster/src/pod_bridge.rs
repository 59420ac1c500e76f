//! The bridge that a node's pods hang on, made before the CNI plugin would make it.
//!
//! An address that comes back belongs to another MAC address. The kernel of the node would keep to the old one for nine
//! seconds (five of delay, three probes sent to the old MAC address itself), and the new pod would be there and not be
//! reached. Networks that route to each pod do not know this; here the node has to ask anew, and ask everybody.

use crate::command::{run, system};
use crate::node::namespace_path;
use crate::{Result, network, sysctl};

/// As `templates/cni.conflist` calls it. The plugin takes a bridge that is there.
const BRIDGE: &str = "cni0";

/// What is not the kernel's default, for this bridge alone (Documentation/networking/ip-sysctl.rst).
const NEIGHBOURS: [(&str, &str); 7] = [
    // An answer is believed for a second instead of thirty …
    ("base_reachable_time_ms", "1000"),
    // … then the next packet asks again at once,
    ("delay_first_probe_time", "0"),
    // not the MAC address that is known, but everybody,
    ("ucast_solicit", "0"),
    ("retrans_time_ms", "250"),
    // and takes another answer than the last one at once.
    ("locktime", "0"),
    // An address that nobody has any more still swallows packets for half a minute, as with the defaults, before the
    // sender is told: 120 × 250 ms. One that nobody ever had is given up after the default three seconds.
    ("mcast_resolicit", "120"),
    ("mcast_solicit", "12"),
];

/// Makes the bridge in the network namespace `node`.
pub(crate) fn create(node: &str) -> Result<()> {
    run(&mut system("ip", &["-n", node, "link", "add", BRIDGE, "type", "bridge"]))?;
    network::within(&namespace_path(node), || {
        let set = |(name, value): (&str, &str)| sysctl::set(&format!("net/ipv4/neigh/{BRIDGE}/{name}"), value);
        NEIGHBOURS.into_iter().try_for_each(set)
    })
}

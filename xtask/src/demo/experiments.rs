//! What the demo runs: short, and each one shows something that the others do not.

/// One experiment of the demo.
pub struct Experiment {
    /// Folder of its report.
    pub name: &'static str,
    /// What it shows, for the reader.
    pub about: &'static str,
    /// Kustomization below `k8s/lab`.
    pub overlay: &'static str,
    /// loadgen's arguments.
    pub arguments: &'static [&'static str],
    /// How long it usually takes.
    pub usually: &'static str,
    /// Part of the short form; the others run with `--all`.
    pub short: bool,
}

const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "pod-delete",
        about: "three pods are deleted under load, each when the one before is replaced (Q8.1)",
        overlay: "overlays/local-fast",
        arguments: &["pod-delete", "--rate", "250", "--repeat", "3", "--every", "ready", "--settle", "10s"],
        usually: "35 s",
        short: true,
    },
    Experiment {
        name: "balance",
        about: "who gets the requests, and who decides that (Q4.2, Q8.2)",
        overlay: "overlays/local-fast",
        arguments: &["balance", "--rate", "150", "--duration", "15s"],
        usually: "20 s",
        short: true,
    },
    Experiment {
        name: "slow-pod",
        about: "one pod is slower than the others (Q8.3)",
        overlay: "overlays/local-fast",
        arguments: &["slow-pod", "--rate", "150", "--before", "6s", "--during", "12s", "--after", "5s"],
        usually: "30 s",
        short: false,
    },
    Experiment {
        name: "rollout-as-assigned",
        about: "a rolling update with the assignment's preStop hook (Q10.3)",
        overlay: "overlays/local-fast",
        arguments: &["rollout", "--rate", "250"],
        usually: "40 s",
        short: true,
    },
    Experiment {
        name: "rollout-cured",
        about: "the same with a preStop hook that works (Q10.2)",
        overlay: "overlays/local-fast-prestop-sleep",
        arguments: &["rollout", "--rate", "250", "--settle", "10s"],
        usually: "40 s",
        short: true,
    },
    Experiment {
        name: "dual-rollout",
        about: "gateway and inference pods are updated at the same time (Q10.4)",
        overlay: "overlays/local-fast",
        arguments: &["dual-rollout", "--rate", "250", "--settle", "8s"],
        usually: "40 s",
        short: false,
    },
    Experiment {
        name: "rollback",
        about: "an update is taken back (Step 10.5)",
        overlay: "overlays/local-fast-prestop-sleep",
        arguments: &["rollback", "--rate", "150", "--settle", "3s"],
        usually: "60 s",
        short: false,
    },
    Experiment {
        name: "canary",
        about: "a new version beside the old one (Q10.5)",
        overlay: "overlays/local-fast-canary",
        arguments: &["canary", "--rate", "250", "--duration", "16s"],
        usually: "30 s",
        short: false,
    },
    Experiment {
        name: "scale",
        about: "pods are added and taken away by hand (Step 8)",
        overlay: "overlays/local-fast-no-hook",
        arguments: &["scale", "--to", "5", "--rate", "250", "--hold", "8s", "--settle", "5s"],
        usually: "35 s",
        short: false,
    },
    // Last: its autoscalers would fight with the replicas of the others.
    Experiment {
        name: "hpa",
        about: "the autoscaler adds pods under load (Q9)",
        overlay: "overlays/local-hpa",
        arguments: &["hpa", "--steps", "5:10s,40:50s", "--path", "/predict?burn_ms=5"],
        usually: "80 s",
        short: false,
    },
];

/// Those of one form, in order.
pub fn chosen(all: bool) -> Vec<&'static Experiment> {
    EXPERIMENTS.iter().filter(|experiment| all || experiment.short).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_experiment_has_its_kustomization_and_its_own_folder() {
        let mut names: Vec<_> = EXPERIMENTS.iter().map(|experiment| experiment.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), EXPERIMENTS.len());
        for experiment in EXPERIMENTS {
            let file = crate::run::root().join("k8s/lab").join(experiment.overlay).join("kustomization.yaml");
            assert!(file.is_file(), "{}", file.display());
        }
    }
}

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
        about: "a pod is deleted under load (Q8.1)",
        overlay: "overlays/local-fast",
        arguments: &["pod-delete", "--rate", "250"],
        usually: "40 s",
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
        arguments: &["rollout", "--rate", "250"],
        usually: "40 s",
        short: true,
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

//! What a container's environment is made of, and which of two equal names wins.

use std::collections::BTreeMap;

use super::facts::{DeploymentFact, EnvSource, Facts};

/// A variable and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Source that wins.
    pub source: String,
    /// Sources that set it as well, and lose.
    pub overridden: Vec<String>,
}

/// Every variable that the template sets: `envFrom` in order, the later one wins; then `env`, which wins over all of
/// `envFrom` (API reference of `EnvFromSource`: "When a key exists in multiple sources, the value associated with the last
/// source will take precedence. Values defined by an Env with a duplicate key will take precedence").
pub fn environment(deployment: &DeploymentFact, facts: &Facts) -> BTreeMap<String, Variable> {
    let mut variables: BTreeMap<String, Variable> = BTreeMap::new();
    let mut set = |name: String, source: String| {
        let overridden = variables.remove(&name).map_or_else(Vec::new, |mut before| {
            before.overridden.push(before.source);
            before.overridden
        });
        variables.insert(name, Variable { source, overridden });
    };
    for from in &deployment.env_from {
        let keys: Vec<&String> = if from.kind == "config_map" {
            facts
                .config_maps
                .get(&from.name)
                .and_then(|map| map.there())
                .into_iter()
                .flat_map(|map| map.keys())
                .collect()
        } else {
            facts.secrets.get(&from.name).and_then(|map| map.there()).into_iter().flat_map(|map| map.keys()).collect()
        };
        let source = format!("{}/{}", kind_words(&from.kind), from.name);
        for key in keys {
            set(format!("{}{key}", from.prefix), source.clone());
        }
    }
    for variable in &deployment.env {
        set(variable.name.clone(), source_words(&variable.from));
    }
    variables
}

fn kind_words(kind: &str) -> &'static str {
    if kind == "config_map" { "configmap" } else { "secret" }
}

fn source_words(source: &EnvSource) -> String {
    match source {
        EnvSource::Value(_) => "env in the template".to_owned(),
        EnvSource::Secret { name, .. } => format!("secret/{name} in env"),
        EnvSource::ConfigMap { name, .. } => format!("configmap/{name} in env"),
        EnvSource::Pod(field) => format!("the pod's {field}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts::{EnvFrom, EnvVariable, Found};
    use super::*;

    #[test]
    fn the_last_source_wins_and_env_wins_over_all() {
        let map = |keys: &[&str]| {
            Found::There(keys.iter().map(|key| ((*key).to_owned(), "x".to_owned())).collect::<BTreeMap<_, _>>())
        };
        let facts = Facts {
            config_maps: BTreeMap::from([("a".into(), map(&["K", "E", "A"])), ("b".into(), map(&["K", "E"]))]),
            ..Facts::default()
        };
        let from = |name: &str| EnvFrom { kind: "config_map".into(), name: name.into(), prefix: String::new() };
        let deployment = DeploymentFact {
            env_from: vec![from("a"), from("b")],
            env: vec![EnvVariable { name: "E".into(), from: EnvSource::Value("v".into()) }],
            ..DeploymentFact::default()
        };
        let variables = environment(&deployment, &facts);
        assert_eq!(variables["K"], Variable { source: "configmap/b".into(), overridden: vec!["configmap/a".into()] });
        assert_eq!(variables["E"].source, "env in the template");
        assert_eq!(variables["E"].overridden, ["configmap/a", "configmap/b"]);
        assert!(variables["A"].overridden.is_empty());
    }
}

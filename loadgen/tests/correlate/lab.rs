//! What a cluster says of a lab that is whole up to Step 7.

use std::collections::BTreeMap;

use loadgen::verify::facts::{
    Answered, DeploymentFact, DnsLook, EndpointFact, EnvFrom, EnvSource, EnvVariable, Facts, Found, Half, LogLook,
    Lookup, Mount, PodFact, SecretValue, ServiceFact,
};

pub const TEXT: &str = r#"{"predictions": [2.5, 3.0, 4.5], "model": "half_plus_two", "version": "1.0"}"#;

fn names(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn half(name: &str, service: &str, kind: &str, pods: u8, network: u8) -> Half {
    let ip = |n: u8| format!("10.244.{network}.{}", n + 10);
    Half {
        deployment_name: name.into(),
        service_name: service.into(),
        deployment: Found::There(DeploymentFact {
            replicas: i32::from(pods),
            ready: i32::from(pods),
            labels: names(&[("app", name)]),
            image: "image:1".into(),
            ..DeploymentFact::default()
        }),
        service: Found::There(ServiceFact {
            kind: kind.into(),
            cluster_ip: Some(format!("10.96.0.{network}0")),
            selector: names(&[("app", name)]),
            ports: vec![(5000, "5000".into(), None)],
        }),
        pods: (0..pods)
            .map(|n| PodFact { name: format!("{name}-{n}"), ip: Some(ip(n)), ready: true, why: None })
            .collect(),
        endpoints: (0..pods)
            .map(|n| EndpointFact { ip: ip(n), ready: true, pod: Some(format!("{name}-{n}")) })
            .collect(),
        problem: None,
    }
}

/// It, with so many serving pods.
pub fn whole(pods: u8) -> Facts {
    let mut gateway = half("api-gateway", "api-gateway-service", "NodePort", 2, 1);
    if let Found::There(deployment) = &mut gateway.deployment {
        deployment.env = vec![EnvVariable {
            name: "API_KEY".into(),
            from: EnvSource::Secret { name: "api-credentials".into(), key: "API_KEY".into() },
        }];
        deployment.mounts = vec![Mount {
            kind: "config_map".into(),
            name: "gateway-config".into(),
            path: "/etc/nginx/nginx.conf".into(),
            sub_path: Some("nginx.conf".into()),
        }];
    }
    let mut upstream = half("ml-inference", "ml-inference-service", "ClusterIP", pods, 2);
    if let Found::There(deployment) = &mut upstream.deployment {
        deployment.args = vec!["-listen=:5000".into(), format!("-text={TEXT}")];
        deployment.env_from = ["shared-config", "ml-config"]
            .map(|name| EnvFrom { kind: "config_map".into(), name: name.into(), prefix: String::new() })
            .into();
    }
    let lookup = |name: &str, address: Option<&str>| Lookup {
        name: name.into(),
        code: if address.is_some() { "NOERROR" } else { "NXDOMAIN" }.into(),
        addresses: address.map(str::to_owned).into_iter().collect(),
    };
    let map = |pairs: &[(&str, &str)]| Found::There(names(pairs));
    let secret = |keys: &[&str]| {
        Found::There(keys.iter().map(|key| ((*key).to_owned(), SecretValue { length_bytes: 9, value: None })).collect())
    };
    let answered = |path: &str, body: &str| Answered {
        path: path.into(),
        url: format!("http://10.99.0.2:30080{path}"),
        status: Some(200),
        body: body.into(),
        error: None,
    };
    let logged =
        |pod: &str| LogLook { pods_read: 2, lines: 9, found: vec![(pod.into(), "GET / 200".into())], problem: None };
    Facts {
        kubernetes: "v1.36.3".into(),
        namespace: "mlops-lab".into(),
        other_namespace: "default".into(),
        cluster_domain: "cluster.local".into(),
        namespace_found: Found::There(()),
        gateway,
        upstream,
        config_maps: BTreeMap::from([
            (
                "gateway-config".into(),
                map(&[("nginx.conf", "server ml-inference-service:5000; proxy_pass http://x/;")]),
            ),
            (
                "shared-config".into(),
                map(&[("ENVIRONMENT", "d"), ("LOG_LEVEL", "i"), ("MODEL_NAME", "h"), ("REQUEST_TIMEOUT", "30")]),
            ),
            (
                "ml-config".into(),
                map(&[
                    ("TENSORFLOW_INTRA_OP_PARALLELISM", "2"),
                    ("TENSORFLOW_INTER_OP_PARALLELISM", "2"),
                    ("BATCH_SIZE", "32"),
                ]),
            ),
        ]),
        secrets: BTreeMap::from([
            ("api-credentials".into(), secret(&["API_KEY", "JWT_SECRET"])),
            ("ml-registry-credentials".into(), secret(&["REGISTRY_USER", "REGISTRY_PASSWORD"])),
        ]),
        http: vec![
            answered("/health", "Gateway OK\n"),
            answered("/status", "API Gateway v1.0\n"),
            answered("/predict", &format!("{TEXT}\n")),
        ],
        gateway_log: logged("api-gateway-0"),
        upstream_log: logged("ml-inference-1"),
        dns: DnsLook {
            server: Some("10.99.0.2, directly".into()),
            problem: None,
            lookups: vec![
                lookup("ml-inference-service.mlops-lab.svc.cluster.local", Some("10.96.0.20")),
                lookup("api-gateway-service.mlops-lab.svc.cluster.local", Some("10.96.0.10")),
                lookup("ml-inference-service.svc.cluster.local", None),
                lookup("ml-inference-service.cluster.local", None),
                lookup("ml-inference-service.default.svc.cluster.local", None),
            ],
        },
        ..Facts::default()
    }
}

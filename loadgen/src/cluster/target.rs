//! Which objects of the cluster the experiment is about.

/// Names of the lab's objects. The defaults are the assignment's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Namespace of the lab.
    pub namespace: String,
    /// Service in front of the gateway.
    pub gateway_service: String,
    /// Deployment of the gateway.
    pub gateway_deployment: String,
    /// Service behind the gateway.
    pub upstream_service: String,
    /// Deployment behind the gateway.
    pub upstream_deployment: String,
    /// Namespace of the observer.
    pub observer_namespace: String,
}

impl Default for Target {
    fn default() -> Self {
        Self {
            namespace: "mlops-lab".into(),
            gateway_service: "api-gateway-service".into(),
            gateway_deployment: "api-gateway".into(),
            upstream_service: "ml-inference-service".into(),
            upstream_deployment: "ml-inference".into(),
            observer_namespace: "podwitness".into(),
        }
    }
}
